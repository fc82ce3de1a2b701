/**
 * Our fit against Nova's on the same inputs in the same run, turn about, by processor time per call. Run alone
 * (`node test/bench/numa/main.ts`) it also shows every case.
 */
import { fileURLToPath } from 'node:url';
import { table } from 'table';
import { fit } from '../../../src/numa/fit.ts';
import { hostOf, limitsOf, readBenchCases, topologyOf, vectorFile, type BenchCase } from '../../numa/vector_files.ts';
import { figureTable, isWithin, quantile, type Figure } from '../figures.ts';
import { NovaProcess, type Timing } from './nova.ts';
import { worstCases } from './worst_cases.ts';

const ROUNDS = 5;
/** The kernel counts processor time of a process in ticks of milliseconds: a run has to be many of them. */
const OUR_SECONDS = 0.12;
const NOVA_SECONDS = 0.25;
const WARM_UP_SECONDS = 0.05;
/** Each call finds another copy of its input, as an agent does. */
const COPIES = 64;
const WORST_CALLS = 300;

type CaseResult = {
  readonly name: string;
  readonly ourUs: number;
  /** Undefined where Nova is not installed. */
  readonly novaUs: number | undefined;
  /** The median over the rounds of Nova's time by ours. */
  readonly ratio: number | undefined;
};

export async function benchNuma(): Promise<Figure[]> {
  return (await measure()).figures;
}

async function measure(): Promise<{ figures: Figure[]; results: readonly CaseResult[]; nova: string | undefined }> {
  const cases = readBenchCases();
  const nova = await NovaProcess.start(vectorFile('bench_cases.json'));
  // All of them first: the compiler has then seen every kind of request, as it has in an agent.
  for (const bench of cases) timeOurs(bench, WARM_UP_SECONDS);
  for (const bench of cases) timeOurs(bench, WARM_UP_SECONDS);
  const results: CaseResult[] = [];
  for (const [place, bench] of cases.entries()) results.push(await compare(bench, place, nova));
  await nova?.close();
  return { figures: [...figuresOf(results), worstFigure()], results, nova: nova?.version };
}

async function compare(bench: BenchCase, place: number, nova: NovaProcess | undefined): Promise<CaseResult> {
  const ours: number[] = [];
  const theirs: number[] = [];
  const ratios: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const our = perCall(timeOurs(bench, OUR_SECONDS));
    ours.push(our);
    if (nova === undefined) continue;
    const their = perCall(await nova.time(place, NOVA_SECONDS));
    theirs.push(their);
    ratios.push(their / our);
  }
  return { name: bench.name, ourUs: quantile(ours, 0.5), novaUs: median(theirs), ratio: median(ratios) };
}

function median(samples: readonly number[]): number | undefined {
  return samples.length === 0 ? undefined : quantile(samples, 0.5);
}

function timeOurs(bench: BenchCase, seconds: number): Timing {
  const inputs = Array.from({ length: COPIES }, () => ({
    guest: topologyOf(bench),
    host: hostOf(bench.host),
    options: { limits: limitsOf(bench.limits) },
  }));
  let calls = 0;
  let fits = 0;
  const end = performance.now() + seconds * 1000;
  const began = process.cpuUsage();
  do {
    for (const { guest, host, options } of inputs) fits += fit(guest, host, options).fits ? 1 : 0;
    calls += COPIES;
  } while (performance.now() < end);
  const { user, system } = process.cpuUsage(began);
  return { calls, cpuUs: user + system, fits: fits === calls };
}

function perCall({ cpuUs, calls }: Timing): number {
  return cpuUs / calls;
}

function figuresOf(results: readonly CaseResult[]): Figure[] {
  const backtracking = results.filter(({ name }) => name.includes('backtrack'));
  return [
    leastRatio('least of all cases', results, 30),
    leastRatio('least where Nova backtracks', backtracking, 100),
  ].flatMap((figure) => figure ?? []);
}

function leastRatio(name: string, results: readonly CaseResult[], atLeast: number): Figure | undefined {
  const [least] = results.toSorted((a, b) => (a.ratio ?? Infinity) - (b.ratio ?? Infinity));
  if (least?.ratio === undefined || least.novaUs === undefined) return undefined;
  return {
    name: `fit, Nova's CPU per call / ours: ${name}`,
    value: least.ratio,
    unit: 'x',
    atLeast,
    how: `${least.name}, of ${results.length}; medians of ${ROUNDS}: ${least.novaUs.toFixed(0)} us and ${least.ourUs.toFixed(2)} us`,
  };
}

/** From the first call of its kind on, uncompiled as it is: on a host that starts a guest now and then, calls are that. */
function worstFigure(): Figure {
  const timed = worstCases().map(({ name, fits: expected, guest, host }) => {
    const wallMs: number[] = [];
    const began = process.cpuUsage();
    for (let call = 0; call < WORST_CALLS; call += 1) {
      const beganMs = performance.now();
      const { fits } = fit(guest, host);
      wallMs.push(performance.now() - beganMs);
      if (fits !== expected) throw new Error(`${name}: ${fits}`);
    }
    const { user, system } = process.cpuUsage(began);
    return {
      name,
      cpuMs: (user + system) / 1000 / WORST_CALLS,
      p50: quantile(wallMs, 0.5),
      p99: quantile(wallMs, 0.99),
    };
  });
  const [worst] = timed.toSorted((a, b) => b.cpuMs - a.cpuMs);
  return {
    name: 'fit of 8 guest cells on 16 host cells, our CPU per call in the worst case',
    value: worst?.cpuMs ?? Number.NaN,
    unit: 'ms',
    atMost: 5,
    how: `mean of ${WORST_CALLS} calls, worst of ${timed.length} cases: ${worst?.name}; its wall time p50 ${worst?.p50.toFixed(2)}, p99 ${worst?.p99.toFixed(2)} ms`,
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { figures, results, nova } = await measure();
  const rows = results.map(({ name, ourUs, novaUs, ratio }) => [
    name,
    ourUs.toFixed(2),
    novaUs?.toFixed(1) ?? '-',
    ratio?.toFixed(0) ?? '-',
  ]);
  process.stdout.write(table([['case', 'ours, us', `Nova ${nova ?? 'not installed'}, us`, 'ratio'], ...rows]));
  process.stdout.write(figureTable(figures));
  process.exitCode = figures.every(isWithin) ? 0 : 1;
}
