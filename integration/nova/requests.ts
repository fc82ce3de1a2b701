/**
 * Requests of every kind: flavors and images in Nova's language. A sensible request is drawn as what somebody would want
 * and then spelled; a disturbed one is that with one or two texts changed; a wild one is any texts together.
 */
import fc from 'fast-check';
import { firstCpus, formatCpuSet, type CpuSet } from '../../src/numa/cpu_set.ts';
import { readGuestTopology } from '../../src/numa/guest_topology.ts';
import { flavorOf, type VectorRequest } from '../../test/numa/vector_files.ts';
import { FLAVOR_TEXTS, GOOD_PAGE_SIZES, IMAGE_TEXTS } from './spellings.ts';

type Texts = Record<string, string>;
type Written = { vcpus: number; ram: number; es: Texts; image: Texts };

const sources = fc.constantFrom('flavor' as const, 'flavor' as const, 'image' as const);
/** Of so many parts a value, and of so many none. */
const orNone = <T>(arbitrary: fc.Arbitrary<T>, parts = 1, none = 1) =>
  fc.oneof({ weight: parts, arbitrary }, { weight: none, arbitrary: fc.constant(undefined) });

/** MiB of a guest cell: a few pages of 2 MiB or 1 GiB, and what is no whole number of them. */
const memories = fc.constantFrom(2, 2, 2, 2, 2, 2, 4, 4, 4, 6, 1, 3, 512, 1024, 1024, 2048);

const wishArbitrary = fc.record({
  nodes: fc.constantFrom(1, 1, 2, 2, 3, 4),
  vcpusEach: fc.integer({ min: 1, max: 3 }),
  memory: memories,
  split: fc.constantFrom('evenly' as const, 'evenly' as const, 'listed' as const),
  listedIn: sources,
  nodesIn: sources,
  cellMemories: fc.array(memories, { minLength: 4, maxLength: 4 }),
  /** The cell of each vCPU; some cells get none. */
  cellOfVcpu: fc.array(fc.nat(3), { minLength: 12, maxLength: 12 }),
  spelling: fc.nat(3),
  pageSize: orNone(
    fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom('large', 'large', 'any', 'small') },
      { weight: 3, arbitrary: fc.constantFrom('2MB', '2048', '2MiB', '16777216b') },
      fc.constantFrom(...GOOD_PAGE_SIZES),
    ),
    4,
  ),
  imagePageSize: orNone(fc.constantFrom('large', 'any', 'small', '2MB', '4', '1GB'), 1, 4),
  policy: orNone(fc.constantFrom('shared', 'dedicated', 'dedicated', 'mixed', 'mixed'), 3),
  policyIn: fc.constantFrom(
    'flavor' as const,
    'flavor' as const,
    'image' as const,
    'both' as const,
    'resources' as const,
  ),
  threadPolicy: orNone(fc.constantFrom('prefer', 'isolate', 'require')),
  threadPolicyIn: fc.constantFrom('flavor' as const, 'image' as const, 'both' as const, 'trait' as const),
  emulator: orNone(fc.constantFrom('isolate', 'isolate', 'share')),
  /** A bit for each vCPU. */
  mask: fc.integer({ min: 1, max: 0xfff }),
  realtime: fc.boolean(),
  maskIn: sources,
  lockedIn: orNone(fc.constantFrom('flavor' as const, 'image' as const, 'both' as const), 1, 4),
});
type Wish = typeof wishArbitrary extends fc.Arbitrary<infer T> ? T : never;

/** Requests of which most are answered with a topology. */
export const sensibleRequests: fc.Arbitrary<VectorRequest> = wishArbitrary.map((wish) => requestOf(spell(wish)));

/** Requests that are answered with a topology, by our own reading. That it is Nova's is a property of its own. */
export const fittableRequests: fc.Arbitrary<VectorRequest> = sensibleRequests.filter(({ flavor, image }) => {
  const read = readGuestTopology(flavorOf(flavor), image ?? {});
  return read.ok && read.request.topology !== null;
});

const textArbitrary = (texts: Readonly<Record<string, readonly string[]>>) =>
  fc
    .constantFrom(...Object.keys(texts))
    .chain((key) => fc.tuple(fc.constant(key), fc.constantFrom(...(texts[key] ?? []))));

const changeArbitrary = fc.oneof(
  {
    weight: 6,
    arbitrary: textArbitrary(FLAVOR_TEXTS).map(
      ([key, text]) =>
        (to: Written) =>
          setText(to.es, key, text),
    ),
  },
  {
    weight: 3,
    arbitrary: textArbitrary(IMAGE_TEXTS).map(
      ([key, text]) =>
        (to: Written) =>
          setText(to.image, key, text),
    ),
  },
  fc.constantFrom(...Object.keys(FLAVOR_TEXTS)).map((key) => (to: Written) => setText(to.es, key, undefined)),
  fc.constantFrom(-1, 1).map((step) => (to: Written) => ({ vcpus: Math.max(1, to.vcpus + step) })),
  fc.constantFrom(-1, 1).map((step) => (to: Written) => ({ ram: Math.max(1, to.ram + step) })),
);

const disturbedRequests = fc
  .tuple(wishArbitrary, fc.array(changeArbitrary, { minLength: 1, maxLength: 2 }))
  .map(([wish, changes]) => {
    const written = spell(wish);
    for (const change of changes) Object.assign(written, change(written));
    return requestOf(written);
  });

const wildRequests = fc
  .record({
    vcpus: fc.integer({ min: 1, max: 6 }),
    ram: fc.constantFrom(2, 4, 6, 1024, 2048),
    es: fc.array(textArbitrary(FLAVOR_TEXTS), { maxLength: 5 }),
    image: fc.array(textArbitrary(IMAGE_TEXTS), { maxLength: 3 }),
  })
  .map(({ vcpus, ram, es, image }) =>
    requestOf({ vcpus, ram, es: Object.fromEntries(es), image: Object.fromEntries(image) }),
  );

/** The whole language, good and bad. */
export const requests: fc.Arbitrary<VectorRequest> = fc.oneof(
  { weight: 5, arbitrary: sensibleRequests },
  { weight: 4, arbitrary: disturbedRequests },
  { weight: 2, arbitrary: wildRequests },
);

function setText(texts: Texts, key: string, text: string | undefined): object {
  if (text === undefined) delete texts[key];
  else texts[key] = text;
  return {};
}

function requestOf({ vcpus, ram, es, image }: Written): VectorRequest {
  return { flavor: { vcpus, ram, es }, ...(Object.keys(image).length > 0 ? { image } : {}) };
}

function spell(wish: Wish): Written {
  const { nodes, vcpusEach, cellMemories, split } = wish;
  const listed = split === 'listed';
  const listedRam = cellMemories.slice(0, nodes).reduce((sum, mib) => sum + mib, 0);
  const written: Written = {
    vcpus: nodes * vcpusEach,
    ram: listed ? listedRam : nodes * wish.memory,
    es: {},
    image: {},
  };
  spellNodes(wish, written);
  if (listed) spellCells(wish, written);
  spellMemory(wish, written);
  spellCpus(wish, written);
  return written;
}

function spellNodes({ nodes, nodesIn }: Wish, { es, image }: Written): void {
  if (nodes === 1) return;
  if (nodesIn === 'flavor') es['hw:numa_nodes'] = String(nodes);
  else image['hw_numa_nodes'] = String(nodes);
}

function spellCells(wish: Wish, { vcpus, es, image }: Written): void {
  for (const cell of firstCpus(wish.nodes)) {
    const ids = firstCpus(vcpus).filter((id) => (wish.cellOfVcpu[id] ?? 0) % wish.nodes === cell);
    const inFlavor = wish.listedIn === 'flavor';
    const [texts, prefix] = inFlavor ? [es, 'hw:'] : [image, 'hw_'];
    texts[`${prefix}numa_cpus.${cell}`] = cpuText(ids, wish.spelling);
    texts[`${prefix}numa_mem.${cell}`] = String(wish.cellMemories[cell]);
  }
}

function spellMemory(wish: Wish, { es, image }: Written): void {
  const { pageSize, imagePageSize, lockedIn } = wish;
  if (pageSize === undefined) return;
  es['hw:mem_page_size'] = pageSize;
  if (imagePageSize !== undefined && (pageSize === 'large' || pageSize === 'any')) {
    image['hw_mem_page_size'] = imagePageSize;
  }
  if (lockedIn === 'flavor' || lockedIn === 'both') es['hw:locked_memory'] = 'true';
  if (lockedIn === 'image' || lockedIn === 'both') image['hw_locked_memory'] = 'yes';
}

function spellCpus(wish: Wish, written: Written): void {
  const { policy, policyIn, emulator } = wish;
  const { vcpus, es, image } = written;
  if (policy === undefined) return;
  if (policyIn === 'resources' && policy !== 'mixed') {
    const pcpus = vcpus + (emulator === 'isolate' ? 1 : 0);
    if (policy === 'dedicated') es['resources:PCPU'] = String(pcpus);
    else es['resources:VCPU'] = String(vcpus);
  } else {
    if (policyIn === 'image' || policyIn === 'both') image['hw_cpu_policy'] = policy;
    if (policyIn !== 'image') es['hw:cpu_policy'] = policy;
  }
  if (policy === 'shared') {
    if (emulator === 'share') es['hw:emulator_threads_policy'] = emulator;
    return;
  }
  if (emulator !== undefined) es['hw:emulator_threads_policy'] = emulator;
  spellThreads(wish, written);
  spellMask(wish, written);
}

function spellThreads({ threadPolicy, threadPolicyIn }: Wish, { es, image }: Written): void {
  if (threadPolicy === undefined) return;
  if (threadPolicyIn === 'trait') {
    if (threadPolicy !== 'prefer') {
      es['trait:HW_CPU_HYPERTHREADING'] = threadPolicy === 'isolate' ? 'forbidden' : 'required';
    }
    return;
  }
  if (threadPolicyIn !== 'image') es['hw:cpu_thread_policy'] = threadPolicy;
  if (threadPolicyIn !== 'flavor') image['hw_cpu_thread_policy'] = threadPolicy;
}

/** The dedicated vCPUs of a mixed guest, by their own mask or by the realtime one. */
function spellMask(wish: Wish, { vcpus, es, image }: Written): void {
  const chosen = firstCpus(vcpus).filter((id) => ((wish.mask >> id) & 1) === 1);
  const ids = chosen.length === 0 || chosen.length === vcpus ? [0] : chosen;
  const text = maskText(ids, vcpus, wish.spelling);
  if (wish.realtime) {
    es['hw:cpu_realtime'] = 'yes';
    if (wish.maskIn === 'flavor') es['hw:cpu_realtime_mask'] = text;
    else image['hw_cpu_realtime_mask'] = text;
  } else if (wish.policy === 'mixed') {
    es['hw:cpu_dedicated_mask'] = text;
  }
}

/** The same set in one of the spellings. */
function cpuText(ids: CpuSet, spelling: number): string {
  const first = ids[0];
  const last = ids.at(-1);
  if (first === undefined || last === undefined) return '';
  if (spelling === 1) return ids.join(',');
  if (spelling === 2) return ids.map((id) => ` ${id} `).join(',,');
  if (spelling === 0) return formatCpuSet(ids);
  const gaps = firstCpus(last).filter((id) => id > first && !ids.includes(id));
  return [`${first}-${last}`, ...gaps.map((id) => `^${id}`)].join(',');
}

function maskText(ids: CpuSet, vcpus: number, spelling: number): string {
  if (spelling !== 3) return cpuText(ids, spelling);
  const others = firstCpus(vcpus).filter((id) => !ids.includes(id));
  return others.map((id) => `^${id}`).join(',') || `0-${vcpus - 1}`;
}
