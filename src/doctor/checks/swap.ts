/** Swap: hugepages never go there, but the rest of a QEMU does, and its guest then waits for the disk. */
import { describeKib } from '../../units.ts';
import { note, ok, warning, type Check, type Context, type Verdict } from '../check.ts';
import { meminfoKib } from '../host_facts.ts';

export type SwapState = {
  readonly totalKib: number;
  readonly usedKib: number;
  readonly swappiness: number | undefined;
};

/** From this share of the swap on, memory is short and not merely tidied up. */
const MUCH = 0.25;
const CALM = 10;

export const swap: Check = {
  id: 'swap',
  title: 'QEMU is not swapped out',
  subject: 'kernel',
  run: async (context) => decideSwap(await readSwap(context)),
};

async function readSwap({ root }: Context): Promise<SwapState> {
  const meminfo = (await root.word('/proc/meminfo')) ?? '';
  const totalKib = meminfoKib(meminfo, 'SwapTotal') ?? 0;
  return {
    totalKib,
    usedKib: totalKib - (meminfoKib(meminfo, 'SwapFree') ?? totalKib),
    swappiness: await root.count('/proc/sys/vm/swappiness'),
  };
}

/** Pure. */
export function decideSwap({ totalKib, usedKib, swappiness }: SwapState): Verdict[] {
  if (totalKib === 0) return [ok('no swap')];
  const details = { total_kib: totalKib, used_kib: usedKib, swappiness };
  const text = `${describeKib(usedKib)} of ${describeKib(totalKib)} of swap are in use`;
  if (usedKib >= totalKib * MUCH)
    return [
      warning({
        what: text,
        why: 'ordinary memory is short: the pools may be too large for this host, and QEMU may be swapped out',
        mend: ['grep VmSwap /proc/*/status | sort -k 2 -n -r | head'],
        details,
      }),
    ];
  if (swappiness !== undefined && swappiness > CALM)
    return [
      note({
        what: `${text}, vm.swappiness is ${swappiness}`,
        why: 'the kernel swaps out QEMU to keep page cache; hugepages themselves are never swapped',
        mend: [
          `sysctl -w vm.swappiness=${CALM} && echo 'vm.swappiness = ${CALM}' > /etc/sysctl.d/60-hugenode-swap.conf`,
        ],
        details,
      }),
    ];
  return [ok(text, details)];
}
