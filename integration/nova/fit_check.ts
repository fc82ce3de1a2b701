/** One fit of ours beside Nova's. */
import { isDeepStrictEqual } from 'node:util';
import { fit, fitMatrix, tryOrder } from '../../src/numa/fit.ts';
import { readGuestTopology, type GuestTopology } from '../../src/numa/guest_topology.ts';
import {
  deepFreeze,
  fitAnswer,
  flavorOf,
  hostOf,
  limitsOf,
  matrixAnswer,
  type VectorRequest,
} from '../../test/numa/vector_files.ts';
import { kindOf, objectionTo, type Kind } from './fit_kinds.ts';
import type { FitAnswer, FitQuestion, PairAnswer } from './nova_oracle.ts';

/** The guest of a request that has a topology. */
export function guestOf({ flavor, image }: VectorRequest): GuestTopology {
  const read = readGuestTopology(flavorOf(flavor), image ?? {});
  const guest = read.ok ? read.request.topology : null;
  if (guest === null) throw new Error('the request has no topology');
  return deepFreeze(guest);
}

/** Holds our answers against Nova's: what is not the same, in words, and which kind of answer Nova's own is. */
export function checkFit(question: FitQuestion, answer: FitAnswer): { kind: Kind; disagreements: string[] } {
  const guest = guestOf(question);
  const host = deepFreeze(hostOf(question.host));
  const options = { limits: limitsOf(question.limits), pack: question.pack };
  const kind = kindOf(guest, host, answer);
  const objection = objectionTo(kind, guest, answer);
  const disagreements = [
    // Nova that gives up before it tries anything has no order.
    ...(answer.ord === null
      ? []
      : difference(
          'order',
          tryOrder(guest, host, options).map(({ id }) => id),
          answer.ord,
        )),
    ...difference(
      'pairs',
      matrixAnswer(fitMatrix(guest, host, options)).map((row) => row.map(pairAnswer)),
      answer.m,
    ),
    ...difference('fit', fitAnswer(fit(guest, host, options)), answer.pure),
    ...(objection === undefined ? [] : [`${kind}: ${objection}`]),
  ];
  return { kind, disagreements };
}

/** Our matrix has codes where Nova only refuses. */
function pairAnswer(verdict: number | string): PairAnswer {
  return typeof verdict === 'number' || verdict.startsWith('!') ? verdict : null;
}

function difference(what: string, ours: unknown, novas: unknown): string[] {
  return isDeepStrictEqual(ours, novas)
    ? []
    : [`${what}: ours ${JSON.stringify(ours)}, Nova's ${JSON.stringify(novas)}`];
}
