/** Refusals in words: the same numbers that the data has, for whoever reads a log or an answer. */
import { describeKib } from '../units.ts';
import type { FitRefusal } from './fit.ts';
import type { AcrossRefusal } from './fit_across.ts';
import type { PairReason } from './pair.ts';
import type { FitRow } from './pair_table.ts';
import type { PoolShortfall } from './pages.ts';

/** Sentences with every number of the decision. */
export function describeFitRefusal(refusal: FitRefusal): string {
  switch (refusal.reason) {
    case 'too-few-host-cells':
      return `the guest has ${refusal.guestCells} cells, this host ${refusal.hostCells}: each guest cell needs a host cell of its own`;
    case 'no-host-cell':
      return refusal.matrix
        .filter((row) => refusal.guestCells.includes(row.guestCell))
        .map(describeRow)
        .join('. ');
    case 'not-together': {
      const { guestCells, hostCells } = refusal;
      return `guest cells ${guestCells.join(', ')} fit on host cell${hostCells.length === 1 ? '' : 's'} ${hostCells.join(', ')} only: each needs one of its own`;
    }
  }
}

/** Why one guest cell does not fit on one host cell. */
export function describeReason(reason: PairReason): string {
  switch (reason.code) {
    case 'size_absent':
      return `it has no pages of ${describeKib(reason.pageSizeKib)}, only of ${sizes(reason.presentKib)}`;
    case 'pages':
      if (reason.pools.length === 0) return 'it has no pages of an allowed size';
      return reason.pools.map((pool) => describePool(pool, reason.memoryKib)).join(', ');
    case 'small_total':
      return describePool(reason.pool, reason.memoryKib);
    case 'mem_total':
      return `${describeKib(reason.neededKib)} needed, it has ${describeKib(reason.totalKib)}`;
    case 'mem_free':
      return `${describeKib(reason.neededKib)} needed, ${describeKib(reason.freeKib)} free of ${describeKib(reason.totalKib)}, ${describeKib(reason.usedKib)} used`;
    case 'vcpu_total':
      return `${reason.needed} vCPUs on shared CPUs, it has ${reason.total} of those`;
    case 'pcpu_total':
      return `${cpusNeeded(reason)}, it has ${reason.total} that can be given away`;
    case 'pcpu_free':
      return `${cpusNeeded(reason)}, ${reason.free} free of ${reason.total}`;
    case 'pack':
      return `${describeObstacle(reason)} (${cpusNeeded(reason)}, ${reason.free} free of ${reason.total}; free threads per core: ${reason.freePerCore.join(', ') || 'none'})`;
    case 'cpu_limit':
      return `${reason.needed} vCPUs beside ${reason.used}, the limit is ${reason.ratio} times ${reason.total} CPUs`;
    case 'ram_limit':
      return `${describeKib(reason.neededKib)} beside ${describeKib(reason.usedKib)}, the limit is ${reason.ratio} times ${describeKib(reason.totalKib)}`;
  }
}

/** Why the pages of one size do not do, even from several host cells. */
export function describeAcross(refusal: AcrossRefusal): string {
  const pages = `pages of ${describeKib(refusal.pageSizeKib)}`;
  switch (refusal.code) {
    case 'not-whole-pages':
      return `the memory of a guest cell is no whole number of ${pages}`;
    case 'too-few-pages':
      return `${refusal.needed} ${pages} needed, ${refusal.free} free on all of them`;
    case 'set-aside':
      return `${refusal.needed} ${pages} needed, and the kernel could take the ${refusal.setAside} on node ${refusal.hostCell} that are kept for others`;
    case 'cpus':
      return `the CPUs do not do, whatever node the ${pages} are from`;
  }
}

function describeRow({ guestCell, verdicts }: FitRow): string {
  const reasons = verdicts.flatMap((verdict) => {
    return verdict.accepted ? [] : [`host cell ${verdict.hostCell}: ${describeReason(verdict.reason)}`];
  });
  return `guest cell ${guestCell} fits on no host cell: ${reasons.join('; ')}`;
}

function describePool({ sizeKib, needed, free, total, used, reserved }: PoolShortfall, memoryKib: number): string {
  const size = describeKib(sizeKib);
  if (needed === undefined) return `${memoryKib} KiB are no whole number of pages of ${size}`;
  return `${needed} pages of ${size} needed, ${free} free of ${total}, ${used} used, ${reserved} reserved`;
}

function cpusNeeded({ needed, reserve }: { readonly needed: number; readonly reserve: number }): string {
  return `${needed} dedicated CPUs${reserve > 0 ? ' and one for the emulator' : ''} needed`;
}

function describeObstacle({ obstacle, threadPolicy, threadsPerCore }: Extract<PairReason, { code: 'pack' }>): string {
  const policy = `thread policy ${threadPolicy ?? 'prefer'}`;
  switch (obstacle) {
    case 'no-cores-known':
      return 'which of its CPUs share a core is not known';
    case 'no-dedicated-vcpus':
      return 'the guest cell has no dedicated vCPU, which Nova 26 never places';
    case 'no-hyperthreads':
      return `${policy}, and it has no core with two threads`;
    case 'configured-sets-differ':
      return `${policy} with ${threadsPerCore} threads per core needs shared and dedicated CPUs to be the same set`;
    case 'too-few-threads':
      return `${policy}, and the free threads do not do`;
  }
}

function sizes(listKib: readonly number[]): string {
  return listKib.map(describeKib).join(', ') || 'no size at all';
}
