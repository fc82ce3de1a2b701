/**
 * Our reading of requests, our fit and our account of a host beside Nova's own functions, on generated cases. A case that
 * disagrees is shrunk and printed. HUGENODE_NOVA_RUNS is how many of each, HUGENODE_NOVA_SEED repeats a run.
 */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readGuestTopology } from '../../../src/numa/guest_topology.ts';
import { constraintAnswer, deepFreeze, flavorOf } from '../../../test/numa/vector_files.ts';
import { Account } from '../account.ts';
import { Counts } from '../counts.ts';
import { checkFit } from '../fit_check.ts';
import { KINDS } from '../fit_kinds.ts';
import { hosts, hostsWithPools } from '../hosts.ts';
import { NovaOracle, type FitAnswer, type FitQuestion, type UsageQuestion } from '../nova_oracle.ts';
import { fittableRequests, requests } from '../requests.ts';
import { refusesNegative } from '../stricter.ts';

const RUNS = Number(process.env.HUGENODE_NOVA_RUNS ?? 200_000);
const SEED = Number(process.env.HUGENODE_NOVA_SEED ?? Date.now() % 2 ** 31);
const PARAMETERS = { numRuns: RUNS, seed: SEED };

const limits: fc.Arbitrary<[number, number] | null> = fc.constantFrom(null, [1, 1], [2, 1], [16, 1.5], [1.5, 0.5]);

const fitQuestions: fc.Arbitrary<FitQuestion> = fc
  .record({ request: fittableRequests, host: hosts, limits, pack: fc.boolean() })
  .map(({ request, ...rest }) => ({ ...request, ...rest }));

/** Two pinned guest cells on three host cells. */
const threeCells: FitQuestion = {
  flavor: { vcpus: 2, ram: 4, es: { 'hw:numa_nodes': '2', 'hw:mem_page_size': '2MB', 'hw:cpu_policy': 'dedicated' } },
  host: [4, 2, 7].map((id, at) => ({
    id,
    cpuset: `${2 * at}-${2 * at + 1}`,
    pcpuset: `${2 * at}-${2 * at + 1}`,
    pinned: '',
    sib: `${2 * at},${2 * at + 1}`,
    mem: 100 + at,
    memUsed: 0,
    cpuUsed: 0,
    pages: [[2048, 3, 0, at]],
  })),
  limits: null,
  pack: false,
};

let nova: NovaOracle;

beforeAll(async () => {
  nova = new NovaOracle();
  console.log(`Nova ${await nova.version()}, ${RUNS} cases of each, HUGENODE_NOVA_SEED=${SEED}`);
});
afterAll(async () => nova.close());

test('requests are read as Nova reads them', async () => {
  const counts = new Counts();
  await fc.assert(
    fc.asyncProperty(requests, async (request) => {
      const answer = constraintAnswer(readGuestTopology(deepFreeze(flavorOf(request.flavor)), request.image ?? {}));
      const theirs = await nova.constraints(request);
      counts.add(theirs.err ?? (theirs.out === null ? 'no topology' : 'topology'));
      const onPurpose = refusesNegative(request, answer) && !isDeepStrictEqual(answer, theirs);
      if (onPurpose) counts.add('of these refused by us, for an amount below nothing');
      expect(answer).toEqual(onPurpose ? answer : theirs);
    }),
    PARAMETERS,
  );
  counts.print('requests');
  expect(counts.of('topology')).toBeGreaterThan(RUNS / 4);
});

test('guests are placed as the rules of Nova place them', async () => {
  const counts = new Counts();
  const outcomes = new Counts();
  await fc.assert(
    fc.asyncProperty(fitQuestions, async (question) => {
      const answer = await nova.fit(question);
      const { kind, disagreements } = checkFit(question, answer);
      counts.add(kind);
      outcomes.add(answer.pure === null ? 'does not fit' : `fits on ${answer.pure.h.length}`);
      expect(disagreements).toEqual([]);
    }),
    PARAMETERS,
  );
  counts.print('fits', KINDS);
  outcomes.print('fits');
  expect(outcomes.of('does not fit')).toBeLessThan(RUNS * 0.75);
});

test('guests come and go in the account of a host as in that of Nova', async () => {
  const counts = new Counts();
  const sequences = fc.record({
    host: hostsWithPools,
    limits,
    requests: fc.array(fc.tuple(fittableRequests, fc.nat(3)), { minLength: 1, maxLength: 6, size: 'max' }),
  });
  await fc.assert(
    fc.asyncProperty(sequences, async (sequence) => {
      const account = new Account(nova, sequence.host, sequence.limits, counts);
      for (const [request, then] of sequence.requests) {
        await account.start(request);
        if (then === 0) await account.end();
        if (then === 1) await account.changeTwice();
      }
      expect(account.disagreements).toEqual([]);
    }),
    // A sequence is a number of steps.
    { ...PARAMETERS, numRuns: Math.ceil(RUNS / 5) },
  );
  counts.print('steps');
});

test('a fit that is not the one of Nova is noticed', async () => {
  const answer = await nova.fit(threeCells);
  expect(checkFit(threeCells, answer)).toEqual({ kind: 'same', disagreements: [] });
  const pure = answer.pure ?? { h: [], ps: [] };
  const altered: Partial<FitAnswer>[] = [
    { ord: answer.ord?.toReversed() ?? [] },
    { m: answer.m.map((row) => row.map(() => 4)) },
    { m: answer.m.map((row) => row.with(0, null)) },
    { m: answer.m.map((row) => row.with(0, '!ValueError')) },
    { pure: null },
    { pure: { ...pure, ps: [2048, null] } },
    { pure: { ...pure, h: pure.h.toReversed() } },
    { pure: { ...pure, pin: (pure.pin ?? []).toReversed() } },
    { pure: { ...pure, res: [[1], []] } },
    { nova: null },
    { nova: { ...pure, h: pure.h.toReversed() } },
    { nova: { err: 'ValueError' } },
  ];
  const unnoticed = altered.filter(
    (change) => checkFit(threeCells, { ...answer, ...change }).disagreements.length === 0,
  );
  expect(unnoticed).toEqual([]);
});

test('an account that is not the one of Nova is noticed', async () => {
  const wrong = {
    usage: async (question: UsageQuestion) => {
      const answer = await nova.usage(question);
      return 'err' in answer ? answer : { after: answer.after.with(0, [1, 0, '', [0]]) };
    },
  };
  const account = new Account(wrong, threeCells.host, null, new Counts());
  await account.start(threeCells);
  await account.end();
  expect(account.disagreements.length).toBe(2);
});

test('only amounts below nothing are refused beside Nova', () => {
  const refusals = [{ err: 'ValueError' }, { err: 'MemoryPageSizeInvalid' }, { err: 'Invalid' }];
  const refused = (es: Record<string, string>) => {
    return refusals.map((answer) => refusesNegative({ flavor: { vcpus: 1, ram: 2, es } }, answer));
  };
  expect(refused({ 'hw:mem_page_size': '2MB', 'hw:numa_mem.0': '2' })).toEqual([false, false, false]);
  expect(refused({ 'hw:mem_page_size': '-2MB' })).toEqual([false, true, false]);
  expect(refused({ 'hw:numa_mem.0': '-2' })).toEqual([true, false, false]);
});
