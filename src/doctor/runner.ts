/** Runs checks side by side and puts what they say in their order. Whatever a check does, there is an answer. */
import { LEVELS, note, warning, type Check, type Context, type Finding, type Level, type Verdict } from './check.ts';

export type Report = {
  readonly findings: readonly Finding[];
  readonly counts: Readonly<Record<Level, number>>;
  /** Checks that were not run, because the kernel here is not that of the guests. */
  readonly leftOut: readonly string[];
};

export type RunOptions = {
  /** Whether the guests run on this machine's kernel. */
  readonly isLocal: boolean;
  /** How long each check may take, in ms. */
  readonly deadlineMs: number;
};

/** Runs them; never rejects. */
export async function runChecks(
  checks: readonly Check[],
  context: Context,
  { isLocal, deadlineMs }: RunOptions,
): Promise<Report> {
  const leftOut = isLocal ? [] : checks.filter(({ subject }) => subject === 'kernel');
  const rest = checks.filter((check) => !leftOut.includes(check));
  const verdicts = await Promise.all(
    rest.map(async (check) =>
      (await verdictsOf(check, context, deadlineMs)).map((verdict) => findingOf(check, verdict)),
    ),
  );
  const findings = [...leftOutFindings(leftOut), ...verdicts.flat()];
  return { findings, counts: countLevels(findings), leftOut: leftOut.map(({ id }) => id) };
}

/** The worst level there is; ok where there is none. Pure. */
export function worstOf({ counts }: Pick<Report, 'counts'>): Level {
  return LEVELS.findLast((level) => counts[level] > 0) ?? 'ok';
}

async function verdictsOf(check: Check, context: Context, deadlineMs: number): Promise<readonly Verdict[]> {
  const late = Promise.withResolvers<readonly Verdict[]>();
  const timer = setTimeout(() => late.resolve([unchecked(check, `no answer within ${deadlineMs} ms`)]), deadlineMs);
  // A check that throws at once is one that fails, too.
  const work = Promise.try(() => check.run(context));
  try {
    return await Promise.race([work, late.promise]);
  } catch (error) {
    return [unchecked(check, error instanceof Error ? error.message : String(error))];
  } finally {
    clearTimeout(timer);
    work.catch(() => {});
  }
}

function unchecked({ title }: Check, reason: string): Verdict {
  return warning({
    what: `could not be checked: ${reason}`,
    why: `nothing is known of this: ${title}`,
    details: { reason },
  });
}

function leftOutFindings(leftOut: readonly Check[]): Finding[] {
  const ids = leftOut.map(({ id }) => id);
  if (ids.length === 0) return [];
  const verdict = note({
    what: `left out: ${ids.join(', ')}`,
    why: 'libvirt.uri names another machine, or may do so: run hugenode doctor there, too',
    details: { left_out: ids },
  });
  return [{ check: 'host', ...verdict }];
}

function findingOf({ id }: Check, verdict: Verdict): Finding {
  return { check: id, ...verdict };
}

function countLevels(findings: readonly Finding[]): Record<Level, number> {
  const counts = { ok: 0, note: 0, warning: 0, problem: 0 };
  for (const { level } of findings) counts[level] += 1;
  return counts;
}
