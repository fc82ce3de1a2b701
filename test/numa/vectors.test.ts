/**
 * Every vector that was recorded from Nova 26.2.2. Where a vector has `q`, Nova's own answer is one of its documented
 * errors, and the target is what the same rules say without them (`pure`). Another file of the same format:
 * `HUGENODE_FIT_VECTORS=FILE npx vitest run --project unit vectors` (likewise HUGENODE_CONSTRAINT_VECTORS).
 */
import { expect, test } from 'vitest';
import { fit, fitMatrix, tryOrder, type Placement } from '../../src/numa/fit.ts';
import { readGuestTopology, type GuestTopology } from '../../src/numa/guest_topology.ts';
import type { HostCell } from '../../src/numa/host_cell.ts';
import { claim, free } from '../../src/numa/usage.ts';
import {
  constraintAnswer,
  deepFreeze,
  fitAnswer,
  flavorOf,
  hostOf,
  limitsOf,
  matrixAnswer,
  readVectors,
  targetOf,
  topologyOf,
  usageAnswer,
  type ConstraintVector,
  type FitVector,
  type UsageStep,
  type UsageVector,
} from './vector_files.ts';

type Difference = { vector: number; expected: unknown; actual: unknown };

const NONE = { count: 0, first: [] };

const constraints = readVectors<ConstraintVector>('constraints.json', process.env.HUGENODE_CONSTRAINT_VECTORS);
const fits = readVectors<FitVector>('fit.json', process.env.HUGENODE_FIT_VECTORS);
const usage = readVectors<UsageVector>('usage.json');

test(`${constraints.length} requests are read as Nova reads them`, () => {
  expect(constraints.length).toBeGreaterThan(0);
  expect(
    summary(
      constraints.flatMap(({ i, flavor, image, err, out }) => {
        const answer = constraintAnswer(readGuestTopology(deepFreeze(flavorOf(flavor)), deepFreeze(image ?? {})));
        return difference(i, err === undefined ? { out } : { err }, answer);
      }),
    ),
  ).toEqual(NONE);
});

test(`${fits.length} requests of the fit file too`, () => {
  expect(
    summary(
      fits.flatMap((vector) => {
        const { cells, policy, thread, emu } = vector;
        const answer = constraintAnswer(readGuestTopology(flavorOf(vector.flavor), vector.image));
        return difference(vector.i, { out: { cells, policy, thread, emu } }, answer);
      }),
    ),
  ).toEqual(NONE);
});

test(`${fits.length} fits: placement, page sizes and pins`, () => {
  expect(fits.length).toBeGreaterThan(0);
  expect(
    summary(fits.flatMap((vector) => difference(vector.i, targetOf(vector), fitAnswer(fit(...argumentsOf(vector)))))),
  ).toEqual(NONE);
});

test(`${fits.length} fits: every pair of a guest cell and a host cell`, () => {
  expect(
    summary(fits.flatMap((vector) => difference(vector.i, vector.m, matrixAnswer(fitMatrix(...argumentsOf(vector)))))),
  ).toEqual(NONE);
});

test(`${fits.length} fits: the order in which host cells are tried`, () => {
  expect(
    summary(
      fits.flatMap((vector) => {
        const order = tryOrder(...argumentsOf(vector));
        return difference(
          vector.i,
          vector.ord,
          order.map((cell) => cell.id),
        );
      }),
    ),
  ).toEqual(NONE);
});

test(`${usage.flatMap(({ steps }) => steps).length} steps of claiming and freeing`, () => {
  expect(
    summary(
      usage.flatMap(({ i, host: cells, limits, pack, steps }) => {
        const differences: Difference[] = [];
        const running = new Map<number, { guest: GuestTopology; placement: Placement }>();
        let host: readonly HostCell[] = deepFreeze(hostOf(cells));
        const account = (step: UsageStep, result: ReturnType<typeof claim>) => {
          if (result.ok) host = deepFreeze(result.host);
          differences.push(...difference(i, step.after, result.ok ? usageAnswer(host) : result.error));
        };
        for (const step of steps) {
          if ('free' in step) {
            const { guest, placement } = running.get(step.free) ?? unknownStep(step.free);
            account(step, free(host, guest, placement));
            continue;
          }
          const read = readGuestTopology(flavorOf(step.flavor), step.image);
          const guest = read.ok ? read.request.topology : null;
          if (guest === null) throw new Error(`step ${step.n} of ${i} has no topology`);
          const result = fit(deepFreeze(guest), host, { limits: limitsOf(limits), pack });
          differences.push(...difference(i, step.fit, fitAnswer(result)));
          if (!result.fits) continue;
          running.set(step.n, { guest, placement: deepFreeze(result.placement) });
          account(step, claim(host, guest, result.placement));
        }
        return differences;
      }),
    ),
  ).toEqual(NONE);
});

function argumentsOf(vector: FitVector): Parameters<typeof fit> {
  const { limits, pack } = vector;
  return deepFreeze([topologyOf(vector), hostOf(vector.host), { limits: limitsOf(limits), pack }]);
}

function difference(vector: number, expected: unknown, actual: unknown): Difference[] {
  return JSON.stringify(sorted(expected)) === JSON.stringify(sorted(actual)) ? [] : [{ vector, expected, actual }];
}

/** The same value with the keys of its objects in one order. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, part]) => [key, sorted(part)]),
  );
}

/** A few of the differences are enough to see what is wrong. */
function summary(differences: readonly Difference[]) {
  return { count: differences.length, first: differences.slice(0, 3) };
}

function unknownStep(step: number): never {
  throw new Error(`step ${step} placed nothing`);
}
