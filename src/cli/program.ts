/** The command line: what it takes, and which verb it calls. Results go to standard output, errors to standard error. */
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { ApiError, LIFECYCLE_EVENTS, type HugenodeHost, type LifecycleEvent } from '../client/index.ts';
import type { CreateInstanceArgs, PlanInstanceArgs } from '../client/index.ts';
import { loadSettings } from '../settings/load.ts';
import type { Settings } from '../settings/schema.ts';
import type { Answer } from './answer.ts';
import { addDeadLetterVerbs } from './dead_letter_verbs.ts';
import { addDoctor } from './doctor_verb.ts';
import { EXIT, EXIT_HELP, RefusedError, exitCodeOf } from './exit_codes.ts';

const SYSTEM_CONFIG = '/etc/hugenode/hugenode.yaml';

type GlobalOptions = { config?: string; set: string[]; json?: boolean; host?: string };

/** Runs the command line; resolves with the exit code. */
export async function runCommandLine(argv: readonly string[]): Promise<number> {
  const program = buildProgram();
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return EXIT.ok;
  } catch (error) {
    // Commander has told of its own errors, but not of those that an action finds in its arguments.
    if (isCommanderError(error) && !(error instanceof InvalidArgumentError))
      return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    process.stderr.write(`hugenode: ${describeError(error)}\n`);
    return error instanceof InvalidArgumentError ? EXIT.usage : exitCodeOf(error);
  }
}

function buildProgram(): Command {
  const program = new Command('hugenode')
    .description('Guests on hugepages: admitted per NUMA node, started through libvirt, metered for billing.')
    .option('--config <file>', `settings (default: $HUGENODE_CONFIG, else ${SYSTEM_CONFIG} where it exists)`)
    .option('--set <section.key=value>', 'one setting; may be given several times', collect, [])
    .option('--host <name>', 'host that is asked (default: the setting host)')
    .option('--json', 'answers as JSON')
    .addHelpText('after', EXIT_HELP)
    .exitOverride();
  addServe(program);
  addCreate(program);
  addPlan(program);
  addInstanceVerbs(program);
  addHostVerbs(program);
  addUsage(program);
  addWatch(program);
  addDeadLetterVerbs(program, {
    settings: () => readSettings(program.opts<GlobalOptions>()),
    print: (answer) => print(answer, program.opts<GlobalOptions>()),
    example,
  });
  addDoctor(program, {
    settings: () => readSettings(program.opts<GlobalOptions>()),
    options: () => program.opts<GlobalOptions>(),
    example,
  });
  return program;
}

function addServe(program: Command): void {
  program
    .command('serve')
    .description('run the agent of this host until it is told to stop (SIGTERM, SIGINT)')
    .addHelpText('after', example('hugenode serve --config /etc/hugenode/hugenode.yaml'))
    .action(async () => {
      const settings = readSettings(program.opts<GlobalOptions>());
      const { serve } = await import('./serve.ts');
      await serve(settings);
    });
}

function addCreate(program: Command): void {
  program
    .command('create')
    .description('create an instance; answers when it runs')
    .requiredOption('--name <text>', 'name of the instance')
    .requiredOption('--memory-mb <MiB>', 'memory', wholeNumber)
    .option('--vcpus <number>', 'vCPUs', wholeNumber, 1)
    .option('--disk-gb <GiB>', 'disk', wholeNumber, 0)
    .option('--image <id>', 'image in the local store')
    .option('--uuid <uuid>', 'uuid (default: a new one); asking again with the same one is safe')
    .option('--flavor <name>', 'name of the flavor', 'custom')
    .option('--spec <key=value>', 'extra spec, such as hw:mem_page_size=2MB; may be given several times', collect, [])
    .option('--image-property <key=value>', 'such as hw_cpu_policy=dedicated; may be given several times', collect, [])
    .option('--metadata <key=value>', 'metadata; may be given several times', collect, [])
    .option('--project <id>', 'project that owns it', 'admin')
    .option('--user <id>', 'user that owns it', 'admin')
    .addHelpText(
      'after',
      example('hugenode create --name web-1 --memory-mb 2048 --vcpus 2 --image debian --spec hw:mem_page_size=2MB'),
    )
    .action((options: CreateOptions) =>
      ask(program, async (host, tables) => {
        const instance = await host.createInstance(createArgs(options));
        return { json: instance, text: tables.instanceTable(instance) };
      }),
    );
}

function addPlan(program: Command): void {
  program
    .command('plan')
    .description('ask how many such instances the host would take, where, and why not one more; takes nothing')
    .requiredOption('--memory-mb <MiB>', 'memory', wholeNumber)
    .option('--vcpus <number>', 'vCPUs', wholeNumber, 1)
    .option('--spec <key=value>', 'extra spec, such as hw:mem_page_size=2MB; may be given several times', collect, [])
    .option('--image-property <key=value>', 'such as hw_cpu_policy=dedicated; may be given several times', collect, [])
    .addOption(new Option('--count <number>', 'how many are wanted (default: 1)').argParser(wholeNumber))
    .addOption(new Option('--fill', 'count how many fit').conflicts('count'))
    .option('--inventory <file>', 'plan on a saved answer of «hugenode --json host»; no host is asked')
    .addHelpText('after', example('hugenode plan --memory-mb 2048 --vcpus 2 --spec hw:mem_page_size=2MB --fill'))
    .action(async (options: PlanOptions) => {
      const { inventory } = options;
      if (inventory === undefined) {
        await ask(program, async (host) => {
          const { planAnswer } = await import('./plan_answer.ts');
          return planAnswer(await host.planInstance(planArgs(options)));
        });
      } else {
        const { planOffline } = await import('./plan_offline.ts');
        print(planOffline(inventory, planArgs(options)), program.opts<GlobalOptions>());
      }
    });
}

function addInstanceVerbs(program: Command): void {
  program
    .command('delete')
    .description('delete an instance; answers when its pages are back')
    .argument('<uuid>')
    .addHelpText('after', example('hugenode delete 46b5e582-9784-4efc-9a0f-360244828e3f'))
    .action((uuid: string) =>
      ask(program, async (host) => {
        await host.deleteInstance(uuid);
        return { json: { deleted: uuid }, text: `deleted ${uuid}\n` };
      }),
    );

  program
    .command('show')
    .description('show an instance')
    .argument('<uuid>')
    .addHelpText('after', example('hugenode --json show 46b5e582-9784-4efc-9a0f-360244828e3f'))
    .action((uuid: string) =>
      ask(program, async (host, tables) => {
        const instance = await host.getInstance(uuid);
        return { json: instance, text: tables.instanceTable(instance) };
      }),
    );
}

function addHostVerbs(program: Command): void {
  program
    .command('list')
    .description('list the instances of the host')
    .addHelpText('after', example('hugenode --host compute-7 list'))
    .action(() =>
      ask(program, async (host, tables) => {
        const instances = await host.listInstances();
        return { json: instances, text: tables.instancesTable(instances) };
      }),
    );

  program
    .command('host')
    .description('show the nodes of the host and their page pools')
    .option('--holders', 'also who holds the pages: instances, other processes, and what nobody can be named for')
    .addHelpText('after', example('hugenode host --holders'))
    .action((options: { holders?: boolean }) =>
      ask(program, async (host, tables) => {
        const answer = await host.getHost(options);
        return { json: answer, text: tables.hostTable(answer) };
      }),
    );
}

function addUsage(program: Command): void {
  program
    .command('usage')
    .description('page-hours per project, page size and node, of guests that ran or were shut off and kept their pages')
    .requiredOption('--from <time>', 'a day such as 2026-11-01 (UTC), or a time with its zone')
    .option('--to <time>', 'end of the span, which is not of it (default: now)')
    .option('--project <id>', 'of this project only')
    .option('--csv', 'as CSV')
    .addHelpText('after', example('hugenode usage --from 2026-11-01 --to 2026-12-01 --csv'))
    .action(async ({ from, to, project, csv }: UsageOptions) => {
      const { readMoment, usageCsv, usageTable } = await import('./usage_verb.ts');
      const span = { from: readMoment('--from', from), to: to === undefined ? null : readMoment('--to', to) };
      await ask(program, async (host) => {
        const usage = await host.getUsage({ ...span, project_id: project ?? null });
        return { json: usage, text: csv === true ? usageCsv(usage) : usageTable(usage) };
      });
    });
}

type UsageOptions = { from: string; to?: string; project?: string; csv?: boolean };

function addWatch(program: Command): void {
  program
    .command('watch')
    .description('print what becomes of instances, as it happens, until Ctrl-C; of all hosts, or of --host')
    .addOption(new Option('--event <name...>', 'only these events (default: all)').choices(LIFECYCLE_EVENTS))
    .option('--pool <name>', 'queue that keeps what happens while nobody watches; shared by all who name it')
    .addHelpText('after', example('hugenode --json watch --event create.end delete.end'))
    .action(async ({ event: events, pool }: { event?: LifecycleEvent[]; pool?: string }) => {
      const { host, json = false, ...others } = program.opts<GlobalOptions>();
      const [{ openClient }, { watch }] = await Promise.all([import('./open_client.ts'), import('./watch.ts')]);
      // Told when the broker is lost: whoever watches would take it for silence.
      await using client = await openClient(readSettings(others), 'warn');
      await watch(client, { events, host, pool }, json);
    });
}

/** Asks the host and prints the answer. Loaded here and not above: the agent needs none of it, nor this the agent. */
async function ask(
  program: Command,
  work: (host: HugenodeHost, tables: typeof import('./tables.ts')) => Promise<Answer>,
): Promise<void> {
  const options = program.opts<GlobalOptions>();
  const settings = readSettings(options);
  const [{ openClient }, tables] = await Promise.all([import('./open_client.ts'), import('./tables.ts')]);
  await using client = await openClient(settings);
  const answer = await work(client.host(options.host ?? settings.host), tables);
  print(answer, options);
}

function print({ json, text, refused }: Answer, options: GlobalOptions): void {
  process.stdout.write(options.json === true ? `${JSON.stringify(json, null, 2)}\n` : text);
  if (refused !== undefined) throw new RefusedError(refused);
}

function readSettings(options: GlobalOptions): Settings {
  const file =
    options.config ?? process.env['HUGENODE_CONFIG'] ?? (existsSync(SYSTEM_CONFIG) ? SYSTEM_CONFIG : undefined);
  return loadSettings({ file, env: process.env, overrides: options.set });
}

type CreateOptions = {
  name: string;
  memoryMb: number;
  vcpus: number;
  diskGb: number;
  image?: string;
  uuid?: string;
  flavor: string;
  spec: string[];
  imageProperty: string[];
  metadata: string[];
  project: string;
  user: string;
};

function createArgs(options: CreateOptions): CreateInstanceArgs {
  return {
    uuid: options.uuid ?? randomUUID(),
    name: options.name,
    project_id: options.project,
    user_id: options.user,
    flavor: {
      name: options.flavor,
      vcpus: options.vcpus,
      memory_mb: options.memoryMb,
      disk_gb: options.diskGb,
      extra_specs: pairs(options.spec),
    },
    image: options.image ?? null,
    image_properties: pairs(options.imageProperty),
    metadata: pairs(options.metadata),
  };
}

type PlanOptions = {
  memoryMb: number;
  vcpus: number;
  spec: string[];
  imageProperty: string[];
  count?: number;
  fill?: boolean;
  inventory?: string;
};

function planArgs(options: PlanOptions): PlanInstanceArgs {
  const { memoryMb, vcpus, spec, imageProperty, count = 1, fill = false } = options;
  const flavor = { vcpus, memory_mb: memoryMb, extra_specs: pairs(spec) };
  return { flavor, image_properties: pairs(imageProperty), count, fill };
}

function collect(value: string, before: string[]): string[] {
  return [...before, value];
}

function wholeNumber(value: string): number {
  if (!/^\d{1,15}$/.test(value)) throw new InvalidArgumentError('must be a whole number');
  return Number(value);
}

function pairs(list: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    list.map((pair) => {
      const cut = pair.indexOf('=');
      if (cut < 1) throw new InvalidArgumentError(`«${pair}» must be key=value`);
      return [pair.slice(0, cut), pair.slice(cut + 1)];
    }),
  );
}

function example(command: string): string {
  return `\nExample:\n  $ ${command}`;
}

function describeError(error: unknown): string {
  if (error instanceof ApiError) return `${error.className}: ${error.message}`;
  return error instanceof Error ? error.message : String(error);
}

function isCommanderError(error: unknown): error is Error & { exitCode: number } {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('commander.');
}
