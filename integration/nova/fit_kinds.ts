/**
 * Where Nova's own answer is not what its rules say. Its search changes the request on the way: a chosen page size
 * replaces large or any for all later tries, and the number of the host cell that was tried last becomes the guest cell's,
 * by which it remembers which pairs fit. So it refuses what fits, accepts what does not, or mixes the two up. Each such
 * answer must be of one of these kinds, and of a request that can come to it.
 */
import { isDeepStrictEqual } from 'node:util';
import { freePages, freePinnable } from '../../src/numa/host_cell.ts';
import type { HostCell } from '../../src/numa/host_cell.ts';
import type { GuestTopology } from '../../src/numa/guest_topology.ts';
import type { FitAnswer, Placed } from './nova_oracle.ts';

export const KINDS = {
  same: 'the same answer',
  setorder: "the same cores, a core's threads in the order of Python's sets",
  fn: 'Nova refuses what fits',
  fp: 'Nova accepts what does not fit',
  invalid: 'Nova answers a placement that does not fit, where another one does',
  narrow: 'the same cells or others that fit, with another page size',
  alt: 'another placement that fits',
  crash: 'Nova raises ValueError on a host cell without CPUs, for a guest with CPUs of its own',
} as const;
export type Kind = keyof typeof KINDS;

/** What kind of answer Nova's is beside its own rules' (`pure`). */
export function kindOf(guest: GuestTopology, host: readonly HostCell[], { nova, pure, native, m }: FitAnswer): Kind {
  if (isDeepStrictEqual(nova, pure)) return 'same';
  if (nova !== null && 'err' in nova) return 'crash';
  if (native !== undefined && isDeepStrictEqual(nova, native)) return 'setorder';
  if (nova === null) return 'fn';
  if (pure === null) return 'fp';
  const places = nova.h.map((id) => host.findIndex((cell) => cell.id === id));
  const verdicts = places.map((place, at) => m[at]?.[place] ?? null);
  if (new Set(places).size < places.length || verdicts.some((verdict) => typeof verdict !== 'number')) return 'invalid';
  const cells = places.flatMap((place) => host[place] ?? []);
  if (!cells.every((cell, at) => hasPages(guest, cell, nova, at) && hasCpus(guest, cell, nova, at))) return 'invalid';
  return verdicts.some((verdict, at) => verdict !== (nova.ps[at] ?? 0)) ? 'narrow' : 'alt';
}

/** Why a kind is none of Nova's known errors for such a request, or undefined where it is one. */
export function objectionTo(kind: Kind, guest: GuestTopology, answer: FitAnswer): string | undefined {
  if (kind === 'same') return undefined;
  const pinned = guest.cpuPolicy === 'dedicated' || guest.cpuPolicy === 'mixed';
  if (kind === 'setorder') return pinned ? undefined : 'no CPUs are pinned that could have an order';
  if (kind === 'crash') {
    const raised = isDeepStrictEqual(answer.nova, { err: 'ValueError' }) && answer.m.flat().includes('!ValueError');
    return raised && pinned ? undefined : 'Nova raises what is not known';
  }
  return hasKnownCause(guest) ? undefined : 'the guest has equal cells, one page size and no isolated emulator';
}

/** The causes need guest cells that differ, in what they ask for or in what is left to choose for them. */
function hasKnownCause({ cells, emulatorPolicy }: GuestTopology): boolean {
  if (emulatorPolicy === 'isolate') return true;
  const asks = cells.map(({ memoryKib, sharedVcpus, dedicatedVcpus }) => {
    return [memoryKib, sharedVcpus.length, dedicatedVcpus.length].join();
  });
  return new Set(asks).size > 1 || cells.some(({ pageSize }) => pageSize === 'large' || pageSize === 'any');
}

function hasPages(guest: GuestTopology, cell: HostCell, placed: Placed, at: number): boolean {
  const sizeKib = placed.ps[at] ?? null;
  const memoryKib = guest.cells[at]?.memoryKib ?? 0;
  if (sizeKib === null) return true;
  const pool = cell.pools.find((candidate) => candidate.sizeKib === sizeKib);
  return pool !== undefined && memoryKib % sizeKib === 0 && memoryKib <= freePages(pool) * sizeKib;
}

/** Whether each dedicated vCPU has a free CPU of that cell, and the emulator one beside. */
function hasCpus(guest: GuestTopology, cell: HostCell, placed: Placed, at: number): boolean {
  const pins = placed.pin?.[at] ?? [];
  const reserved = placed.res?.[at] ?? [];
  const taken = [...pins.map(([, cpu]) => cpu), ...reserved];
  const free = freePinnable(cell);
  return (
    pins.length === guest.cells[at]?.dedicatedVcpus.length &&
    reserved.length === (guest.emulatorPolicy === 'isolate' && at === 0 ? 1 : 0) &&
    new Set(taken).size === taken.length &&
    taken.every((cpu) => free.includes(cpu))
  );
}
