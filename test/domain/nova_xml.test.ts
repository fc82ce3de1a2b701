/**
 * Our domains against Nova's own: the guests of test/vectors/nova-numa/xml, whose documents Nova's driver made. Each goes
 * through our whole path, and what decides its memory and CPUs has to say the same. Where hugenode differs on purpose,
 * the difference is written down here with its reason, and is exactly that.
 */
import { readFileSync } from 'node:fs';
import { XMLParser } from 'fast-xml-parser';
import { describe, expect, test } from 'vitest';
import { decide } from '../../src/admission/decide.ts';
import { HostAccount } from '../../src/admission/host_cells.ts';
import type { HostMemory } from '../../src/admission/host_memory.ts';
import type { Placement } from '../../src/admission/placement.ts';
import { readPlacementRequest } from '../../src/admission/request.ts';
import { DEFAULT_RULES, type AdmissionRules } from '../../src/admission/rules.ts';
import { renderDomain } from '../../src/domain/render.ts';
import { cpuSetOf, formatCpuSet } from '../../src/numa/cpu_set.ts';
import { kibFromMib, mibFromKib } from '../../src/units.ts';
import { cpus, flavorOf, vectorFile } from '../numa/vector_files.ts';
import { instanceOf, specOf, UUID } from './instances.ts';

type PlacedHere = { hostCell: number; ps: number | null; mem: number; cpus: string; pin: [number, number][] };
type Recorded = {
  hostPages: [sizeKib: number, total: number][][];
  flavor: { vcpus: number; ram: number; es: Record<string, string> };
  compute: { cpu_shared_set?: string; cpu_dedicated_set?: string };
  hostCells: { id: number; cpuset: string; pcpuset: string; mem: number }[];
  placed: PlacedHere[] | null;
};

const recorded: Record<string, Recorded> = JSON.parse(readFileSync(vectorFile('xml/index.json'), 'utf8'));

/**
 * The order in which the recording Nova took a node's cores, by their first threads. It sorts sets, which for disjoint
 * sets is no order at all, and the record does not have it (specs/nova-numa.md, section 3, has what was seen).
 */
const CORES_AS_NOVA_TOOK_THEM = [0, 6, 4, 2];
const CLAIMANT = { instanceUuid: UUID, projectId: instanceOf().projectId };

/** As our own reading of the host has them. */
const CORES_ASCENDING = [0, 2, 4, 6];

/** These ask for no page size, and hugenode gives every guest one: see their own tests. */
const NO_PAGE_SIZE = ['plain-no-numa', 'numa-2cells-no-page-size'];

test('the record is the one that these tests were written for', () => {
  expect(Object.keys(recorded)).toHaveLength(14);
  expect(Object.keys(recorded)).toEqual(expect.arrayContaining(NO_PAGE_SIZE));
});

describe.each(Object.keys(recorded))('%s', (name) => {
  test('the host has the CPUs that Nova saw', () => {
    const cells = new HostAccount(hostOf(name), rulesOf(name), [], true).cells();
    expect(
      cells.map(({ id, sharedCpus, pinnableCpus, memoryKib }) => ({
        id,
        cpuset: formatCpuSet(sharedCpus),
        pcpuset: formatCpuSet(pinnableCpus),
        mem: mibFromKib(memoryKib),
      })),
    ).toEqual(recordOf(name).hostCells);
  });

  test('memory is allocated before the guest runs, which Nova leaves to the first touch', () => {
    // On purpose: a short pool has to fail the start, never the running guest.
    expect(read(placeAndRender(name, 'large').xml).memoryBacking?.allocation).toMatchObject({ '@mode': 'immediate' });
    expect(read(novasXml(name)).memoryBacking?.allocation).toBeUndefined();
  });
});

test.each(Object.keys(recorded).filter((name) => !NO_PAGE_SIZE.includes(name)))(
  '%s: the placement and the domain are Nova’s',
  (name) => {
    const ours = placeAndRender(name, 'large');
    expect(inNovasWords(ours.placement)).toEqual(recordOf(name).placed);
    expect(meaningOf(ours.xml)).toEqual(meaningOf(novasXml(name)));
  },
);

describe('no page size asked for: the host’s default stands in', () => {
  test('two NUMA cells on small pages are Nova’s domain; that their size is written down is the difference', () => {
    const ours = placeAndRender('numa-2cells-no-page-size', 'small');
    // Nova's null is small pages that may be sold over and over. Here they are counted, so the placement says 4 KiB.
    const placed = recordOf('numa-2cells-no-page-size').placed ?? [];
    expect(placed.map((cell) => cell.ps)).toEqual([null, null]);
    expect(inNovasWords(ours.placement)).toEqual(placed.map((cell) => ({ ...cell, ps: 4 })));
    expect(meaningOf(ours.xml)).toEqual(meaningOf(novasXml('numa-2cells-no-page-size')));
  });

  test('two NUMA cells on large pages are the domain that Nova makes where they are asked for', () => {
    const ours = meaningOf(placeAndRender('numa-2cells-no-page-size', 'large').xml);
    expect(ours).toEqual(meaningOf(novasXml('2m-2cells')));
    expect(differing(ours, meaningOf(novasXml('numa-2cells-no-page-size')))).toEqual(['cells', 'hugePages']);
  });

  test('a guest that asks for nothing is one cell of large pages, where Nova lets it float', () => {
    // Its pages come from a pool, and pools are of nodes: so it has a cell, and its memory and CPUs have a node.
    const ours = placeAndRender('plain-no-numa', 'large');
    const nova = meaningOf(novasXml('plain-no-numa'));
    expect(recordOf('plain-no-numa').placed).toBeNull();
    expect(nova).toMatchObject({ hugePages: [], numaMemory: null, memnodes: {}, vcpuPins: {}, cells: {} });
    expect(inNovasWords(ours.placement)).toEqual(recordOf('2m-large-1cell').placed);
    expect(meaningOf(ours.xml)).toEqual(meaningOf(novasXml('2m-large-1cell')));
    expect(differing(meaningOf(ours.xml), nova)).toEqual([
      'cells',
      'emulatorPin',
      'hugePages',
      'memnodes',
      'numaMemory',
      'vcpuPins',
    ]);
  });

  test('on small pages the same guest has a cell and a node all the same', () => {
    const ours = meaningOf(placeAndRender('plain-no-numa', 'small').xml);
    const nova = meaningOf(novasXml('plain-no-numa'));
    expect(differing(ours, nova)).toEqual(['cells', 'emulatorPin', 'memnodes', 'numaMemory', 'vcpuPins']);
    expect(ours.cells).toEqual({ 0: { cpus: [0, 1], memoryKib: 1048576, memAccess: null } });
  });
});

test.each(Object.keys(recorded))('%s: taking cores in ascending order changes which CPUs, and nothing else', (name) => {
  const nova = meaningOf(placeAndRender(name, 'large').xml);
  const ours = meaningOf(placeAndRender(name, 'large', CORES_ASCENDING).xml);
  const isPinned = recordOf(name).placed?.some((cell) => cell.pin.length > 0) ?? false;
  const allowed = isPinned ? ['emulatorPin', 'vcpuPins'] : [];
  expect(allowed).toEqual(expect.arrayContaining(differing(ours, nova)));
  expect(differing(ours, nova).includes('vcpuPins')).toBe(isPinned);
});

// What the comparison is worth: each of these is a guest that would run otherwise.
test.each([
  ['dedicated-2m-realtime-locked', '<memory>1048576<', '<memory>1048575<', 'memoryKib'],
  ['dedicated-2m-realtime-locked', '<vcpu>4<', '<vcpu>3<', 'vcpus'],
  ['dedicated-2m-realtime-locked', '<locked/>', '', 'locked'],
  ['dedicated-2m-realtime-locked', '<nosharepages/>', '', 'noSharePages'],
  ['dedicated-2m-realtime-locked', 'vcpus="1-3"', 'vcpus="0-3"', 'realtime'],
  ['dedicated-2m-realtime-locked', 'priority="1"', 'priority="2"', 'realtime'],
  ['dedicated-2m-2cells-emu-isolate', '<emulatorpin cpuset="4"', '<emulatorpin cpuset="5"', 'emulatorPin'],
  ['dedicated-2m-2cells-emu-isolate', 'vcpu="2" cpuset="14"', 'vcpu="2" cpuset="13"', 'vcpuPins'],
  ['2m-2cells', '<page size="2048" nodeset="1"', '<page size="1048576" nodeset="1"', 'hugePages'],
  ['2m-2cells', '<page size="2048" nodeset="1" unit="KiB"/>', '', 'hugePages'],
  ['2m-2cells', '<memory mode="strict" nodeset="0-1"', '<memory mode="preferred" nodeset="0-1"', 'numaMemory'],
  ['2m-2cells', 'cellid="1" mode="strict" nodeset="1"', 'cellid="1" mode="strict" nodeset="0"', 'memnodes'],
  ['2m-2cells', 'memory="1048576" memAccess="shared"/>', 'memory="1048576"/>', 'cells'],
  ['2m-2cells', 'cpus="2-3"', 'cpus="2"', 'cells'],
  ['2m-2cells', 'sockets="4"', 'sockets="2"', 'topology'],
  ['2m-2cells', 'period="10"', 'period="0"', 'balloonPeriodS'],
  ['2m-2cells', 'mode="host-model"', 'mode="host-passthrough"', 'cpuModel'],
  ['2m-2cells', '<vcpu>', '<vcpu cpuset="0-3">', 'vcpuset'],
  ['2m-2cells', '</memoryBacking>', '<source type="memfd"/></memoryBacking>', 'others'],
])('%s with %j as %j is another guest: %s', (name, part, other, key) => {
  const xml = novasXml(name);
  expect(xml).toContain(part);
  expect(differing(meaningOf(xml.replace(part, other)), meaningOf(xml))).toEqual([key]);
});

test.each([
  ['units', '<memory>2097152<', '<memory unit="GiB">2<'],
  ['ranges', 'cpuset="8-15"', 'cpuset="15,8-14"'],
  ['the unit of a page', '<page size="2048" nodeset="0" unit="KiB"/>', '<page size="2" unit="MiB" nodeset="0"/>'],
])('another spelling is the same guest: %s', (_what, part, other) => {
  const xml = novasXml('2m-2cells');
  expect(xml).toContain(part);
  expect(meaningOf(xml.replace(part, other))).toEqual(meaningOf(xml));
});

function recordOf(name: string): Recorded {
  const record = recorded[name];
  if (record === undefined) throw new Error(`no record of ${name}`);
  return record;
}

function novasXml(name: string): string {
  return readFileSync(vectorFile(`xml/${name}.xml`), 'utf8');
}

function hostOf(name: string, cores: readonly number[] = CORES_AS_NOVA_TOOK_THEM): HostMemory {
  const { hostCells, hostPages } = recordOf(name);
  const cells = hostCells.map(({ id, cpuset, pcpuset, mem }, at) => {
    const online = cpuSetOf([...cpus(cpuset), ...cpus(pcpuset)]);
    const first = Math.min(...online);
    return {
      node: id,
      cpus: online,
      siblings: cores.map((core) => [first + core, first + core + 1]),
      memoryKib: kibFromMib(mem),
      free: (hostPages[at] ?? []).map(([pageSizeKib, total]) => ({ pageSizeKib, pages: total, total })),
    };
  });
  return { cells, promised: [], availableKib: null, guests: [] };
}

function rulesOf(name: string): AdmissionRules {
  const { cpu_shared_set: shared, cpu_dedicated_set: dedicated } = recordOf(name).compute;
  return {
    ...DEFAULT_RULES,
    cpuSharedSet: shared === undefined ? null : cpus(shared),
    cpuDedicatedSet: dedicated === undefined ? null : cpus(dedicated),
  };
}

/** Our whole path, from the flavor to the document. */
function placeAndRender(name: string, defaultPageSize: string, cores?: readonly number[]) {
  const flavor = flavorOf(recordOf(name).flavor);
  const asked = readPlacementRequest(flavor, {}, defaultPageSize);
  if (!asked.ok) throw new Error(JSON.stringify(asked.errors));
  const { topology, realtimeVcpus, lockedMemory } = asked.request;
  const rules = rulesOf(name);
  const decision = decide(CLAIMANT, asked.request, hostOf(name, cores), rules, []);
  if (decision.outcome !== 'admitted') throw new Error(JSON.stringify(decision));
  const instance = instanceOf({
    flavor: { ...instanceOf().flavor, ...flavor },
    placement: decision.placement,
    // As create_instance keeps it.
    tuning: { cpuPolicy: topology.cpuPolicy, emulatorPolicy: topology.emulatorPolicy, realtimeVcpus, lockedMemory },
  });
  const xml = renderDomain(specOf(instance, { cpuSharedSet: rules.cpuSharedSet }));
  return { placement: decision.placement, xml };
}

function inNovasWords(placement: Placement): PlacedHere[] {
  return placement.map(({ node, pageSizeKib, memoryKib, vcpus, pins }) => ({
    hostCell: node,
    ps: pageSizeKib,
    mem: mibFromKib(memoryKib),
    cpus: formatCpuSet(vcpus),
    pin: pins.map(({ vcpu, cpu }) => [vcpu, cpu]),
  }));
}

type Element = { readonly [name: `@${string}`]: string; readonly '#text': string };
type Domain = {
  memory: Element;
  vcpu: Element;
  memoryBacking?: {
    hugepages?: { page: Element[] };
    nosharepages?: Element;
    locked?: Element;
    allocation?: Element;
  };
  numatune?: { memory?: Element; memnode?: Element[] };
  cputune?: { vcpupin?: Element[]; emulatorpin?: Element; vcpusched?: Element };
  cpu: Element & { topology: Element; numa?: { cell: Element[] } };
  devices: { memballoon: { stats: Element } };
};

const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: '@',
  alwaysCreateTextNode: true,
  parseTagValue: false,
  isArray: (tag) => ['page', 'memnode', 'vcpupin', 'cell'].includes(tag),
});

function read(xml: string): Domain {
  const { domain }: { domain: Domain } = parser.parse(xml);
  return domain;
}

const KIB: Readonly<Record<string, number>> = { KiB: 1, MiB: 1024, GiB: 1048576 };

/** What libvirt makes of an amount: KiB where it has no unit. */
function kib(amount: string | undefined, unit = 'KiB'): number {
  return Number(amount) * (KIB[unit] ?? NaN);
}

function set(text: string | undefined) {
  return text === undefined ? null : cpus(text);
}

/** What the domain says of memory and CPUs, however it is spelled. */
function meaningOf(xml: string) {
  const { memory, vcpu, memoryBacking, numatune, cputune, cpu, devices } = read(xml);
  const sched = cputune?.vcpusched;
  const { sockets, cores, threads } = topologyOf(cpu.topology);
  return {
    memoryKib: kib(memory['#text'], memory['@unit']),
    vcpus: Number(vcpu['#text']),
    vcpuset: set(vcpu['@cpuset']),
    hugePages: (memoryBacking?.hugepages?.page ?? [])
      .flatMap((page) =>
        cpus(page['@nodeset'] ?? '').map((cell) => ({ cell, sizeKib: kib(page['@size'], page['@unit']) })),
      )
      .toSorted((a, b) => a.cell - b.cell),
    noSharePages: memoryBacking?.nosharepages !== undefined,
    locked: memoryBacking?.locked !== undefined,
    numaMemory:
      numatune?.memory === undefined
        ? null
        : { mode: numatune.memory['@mode'], nodes: set(numatune.memory['@nodeset']) },
    memnodes: Object.fromEntries(
      (numatune?.memnode ?? []).map((node) => [node['@cellid'], { mode: node['@mode'], nodes: set(node['@nodeset']) }]),
    ),
    vcpuPins: Object.fromEntries((cputune?.vcpupin ?? []).map((pin) => [pin['@vcpu'], set(pin['@cpuset'])])),
    emulatorPin: set(cputune?.emulatorpin?.['@cpuset']),
    realtime: sched && {
      vcpus: set(sched['@vcpus']),
      scheduler: sched['@scheduler'],
      priority: Number(sched['@priority']),
    },
    // libvirt's match is exact where none is said.
    cpuModel: { mode: cpu['@mode'], match: cpu['@match'] ?? 'exact' },
    topology: { sockets, cores, threads },
    cells: Object.fromEntries(
      (cpu.numa?.cell ?? []).map((cell) => [
        cell['@id'],
        {
          cpus: set(cell['@cpus']),
          memoryKib: kib(cell['@memory'], cell['@unit']),
          memAccess: cell['@memAccess'] ?? null,
        },
      ]),
    ),
    balloonPeriodS: Number(devices.memballoon.stats['@period']),
    others: [
      ...othersIn(memoryBacking, ['hugepages', 'nosharepages', 'locked', 'allocation']),
      ...othersIn(numatune, ['memory', 'memnode']),
      ...othersIn(cputune, ['vcpupin', 'emulatorpin', 'vcpusched']),
      ...othersIn(cpu, ['@mode', '@match', 'topology', 'numa']),
    ],
  };
}

function topologyOf(topology: Element) {
  return {
    sockets: Number(topology['@sockets']),
    cores: Number(topology['@cores']),
    threads: Number(topology['@threads']),
  };
}

/** Elements that the comparison does not read: in either domain they would be a difference unseen. */
function othersIn(element: object | undefined, known: readonly string[]): string[] {
  return Object.keys(element ?? {}).filter((name) => name !== '#text' && !known.includes(name));
}

type Meaning = ReturnType<typeof meaningOf>;

/** The keys in which the two differ. */
function differing(one: Meaning, other: Meaning): string[] {
  const others: Readonly<Record<string, unknown>> = other;
  return Object.entries(one)
    .filter(([key, value]) => JSON.stringify(value) !== JSON.stringify(others[key]))
    .map(([key]) => key)
    .toSorted();
}
