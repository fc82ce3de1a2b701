/** `hugenode doctor`: what is wrong with this host, why it matters, and what mends it. */
import { InvalidArgumentError, type Command } from 'commander';
import { quoted } from '../doctor/shell.ts';
import type { Settings } from '../settings/schema.ts';
import { UnwellError } from './exit_codes.ts';

export type DoctorVerbOptions = {
  readonly settings: () => Settings;
  readonly options: () => { readonly config?: string; readonly json?: boolean };
  readonly example: (command: string) => string;
};

/** Of files and pipes, which have no width. */
const PLAIN_COLUMNS = 120;

export function addDoctor(program: Command, { settings, options, example }: DoctorVerbOptions): void {
  program
    .command('doctor')
    .description('check this host, and say what is wrong, why it matters and what mends it; changes nothing')
    .option('--check <id...>', 'only these checks (default: all)')
    .addHelpText('after', example('hugenode doctor --check kvm hugetlbfs'))
    .action(async ({ check: ids }: { check?: string[] }) => {
      const [{ CHECKS }, { examine }, { reportView, reportText, countsText, painter }] = await Promise.all([
        import('../doctor/checks/index.ts'),
        import('../doctor/doctor.ts'),
        import('./doctor_report.ts'),
      ]);
      const known = CHECKS.map(({ id }) => id);
      const unknown = (ids ?? []).filter((id) => !known.includes(id));
      if (unknown.length > 0)
        throw new InvalidArgumentError(`no check ${unknown.join(', ')}; there are: ${known.join(', ')}`);
      const { config, json = false } = options();
      const checks = CHECKS.filter(({ id }) => ids === undefined || ids.includes(id));
      // What was set by --set is not repeated in commands: it may be a password.
      const settingsWords = config === undefined ? '' : `--config ${quoted(config)}`;
      const chosen = settings();
      const report = await examine({ checks, settings: chosen, settingsWords });
      const { isTTY, columns } = process.stdout;
      const text = json
        ? `${JSON.stringify(reportView(report, chosen.host), null, 2)}\n`
        : reportText(report, { columns: isTTY ? columns : PLAIN_COLUMNS, paint: painter(isTTY) });
      process.stdout.write(text);
      if (report.counts.problem > 0) throw new UnwellError('problem', countsText(report));
      if (report.counts.warning > 0) throw new UnwellError('warning', countsText(report));
    });
}
