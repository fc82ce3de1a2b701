/** The fake host: pools that shrink and grow with guests, domains, what libvirt says where something is not to be had. */
import { readFileSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readTopology } from '../../src/domain/read.ts';
import {
  connect,
  DomainMetadataType,
  DomainState,
  ErrorCode,
  ListAllDomainsFlags,
  Procedures,
  type Connection,
} from '../../src/node-libvirt/index.ts';
import { FakeHost, FakeLibvirtd } from '../../src/node-libvirt/testing/index.ts';
import { parseXml, renderXml } from '../../src/node-libvirt/testing/xml.ts';
import { errorOf } from './errors_of.ts';

const GIB = 1024 * 1024;
const UUID = '6695eb01-f6a4-8304-79aa-97f2502e193f';

let host: FakeHost;
let daemon: FakeLibvirtd;
let connection: Connection;

beforeEach(async () => {
  host = new FakeHost({
    cells: [
      {
        cpus: [0, 1, 2, 3],
        memoryKib: 8 * GIB,
        pools: [
          { sizeKib: 2048, total: 1024 },
          { sizeKib: GIB, total: 2 },
        ],
      },
      { cpus: [4, 5, 6, 7], memoryKib: 8 * GIB, pools: [{ sizeKib: 2048, total: 512 }] },
    ],
  });
  daemon = await FakeLibvirtd.open({ host });
  connection = await connect({ socketPath: daemon.socketPath });
});

afterEach(async () => {
  await connection.close();
  await daemon[Symbol.asyncDispose]();
});

/** A guest of 512 MiB with what else it shall have. */
function guest(more = '', name = 'guest', uuid = UUID): string {
  return `<domain type='kvm'><name>${name}</name><uuid>${uuid}</uuid><memory unit='MiB'>512</memory><vcpu>2</vcpu>${more}</domain>`;
}
const huge = (page = '') => `<memoryBacking><hugepages>${page}</hugepages></memoryBacking>`;
const on = (nodeset: string, mode = 'strict') => `<numatune><memory mode='${mode}' nodeset='${nodeset}'/></numatune>`;
const free = (sizeKib = 2048) => host.cells.map((cell) => cell.findPool(sizeKib)?.free);

async function start(xml: string): Promise<void> {
  const domain = await connection.domain.defineXMLFlags(xml);
  await connection.domain.createWithFlags(domain);
}

describe('the host', () => {
  test('its capabilities are what a reader of libvirt’s finds', async () => {
    expect(readTopology(await connection.getCapabilities())).toEqual({
      arch: 'x86_64',
      virtTypes: ['qemu', 'kvm'],
      nodes: [
        {
          node: 0,
          cpus: [0, 1, 2, 3],
          pools: [
            // What is in pools of huge pages is no base page.
            { pageSizeKib: 4, totalPages: ((8 - 2 - 2) * GIB) / 4 },
            { pageSizeKib: 2048, totalPages: 1024 },
            { pageSizeKib: GIB, totalPages: 2 },
          ],
        },
        {
          node: 1,
          cpus: [4, 5, 6, 7],
          pools: [
            { pageSizeKib: 4, totalPages: ((8 - 1) * GIB) / 4 },
            { pageSizeKib: 2048, totalPages: 512 },
          ],
        },
      ],
    });
    expect(parseXml(await connection.getCapabilities()).name).toBe('capabilities');
  });

  test('node info, free memory', async () => {
    expect(await connection.node.getInfo()).toMatchObject({ memoryKib: 16 * GIB, cpus: 8, nodes: 2, cores: 4 });
    expect(await connection.node.getCellsFreeMemory(0, 2)).toEqual([4 * 1024 ** 3, 7 * 1024 ** 3]);
    expect(await connection.node.getFreeMemory()).toBe(11 * 1024 ** 3);
  });

  test('free pages: a row per cell, the host as a whole, and what there is not', async () => {
    expect(await connection.node.getFreePages([4, 2048], 0, 2)).toEqual([
      [GIB, 1024],
      [1.75 * GIB, 512],
    ]);
    expect(await connection.node.getFreePages([2048], 1, 5)).toEqual([[512]]);
    expect(await connection.node.getFreePages([2048], -1, 1)).toEqual([[1536]]);
    expect(await errorOf(connection.node.getFreePages([2048], 2, 1))).toMatchObject({ code: ErrorCode.INTERNAL_ERROR });
    expect(await errorOf(connection.node.getFreePages([GIB], 0, 2))).toMatchObject({
      code: ErrorCode.OPERATION_FAILED,
      message: expect.stringContaining('page size 1048576 is not available on node 1'),
    });
  });

  test('pools can be made larger, as far as there is memory, and smaller, as far as they are not in use', async () => {
    await connection.node.allocPages([2048], [100], 1, 1);
    expect(host.cell(1).pool(2048).total).toBe(612);
    await connection.node.allocPages([2048], [1_000_000], 1, 1);
    expect(host.cell(1).pool(2048).total).toBe(4096);
    expect(host.cell(1).pool(4).total).toBe(0);
    await start(guest(huge() + on('1')));
    await connection.node.allocPages([2048], [0], 1, 1, 1);
    expect([host.cell(1).pool(2048).total, host.cell(1).pool(2048).free]).toEqual([256, 0]);
    expect(host.cell(1).pool(4).total).toBe((7.5 * GIB) / 4);
  });

  test('somebody else may use its pages', () => {
    host.cell(0).pool(2048).take(1000);
    expect(free()).toEqual([24, 512]);
    expect(() => host.cell(0).pool(2048).take(25)).toThrow(RangeError);
    host.cell(0).pool(2048).give(1000);
    expect(() => host.cell(0).pool(2048).give(1)).toThrow(RangeError);
  });

  test('what it does not know is not supported', async () => {
    expect(await errorOf(connection.listAllNetworks())).toMatchObject({ code: ErrorCode.NO_SUPPORT });
  });

  test('a script of the test goes ahead of the host', async () => {
    daemon.answer(Procedures.CONNECT_GET_HOSTNAME, () => ({ hostname: 'mine' }));
    expect(await connection.getHostname()).toBe('mine');
  });
});

describe('memory of guests', () => {
  test.each<[string, string, (number | undefined)[], number?]>([
    ['none in huge pages', '', [1024, 512]],
    ['of the default size, anywhere', huge(), [768, 512]],
    ['on one cell', huge() + on('1'), [1024, 256]],
    ['on both, one after the other', huge() + on('0-1'), [768, 512]],
    ['interleaved', huge() + on('0-1', 'interleave'), [896, 384]],
    ['of a size by name, rounded up', huge("<page size='1' unit='G'/>") + on('0'), [1, undefined], GIB],
    ['of a size in bytes', huge("<page size='2097152' unit='b'/>") + on('1'), [1024, 256]],
    ['for a cell of the guest that is not there', huge("<page size='2048' nodeset='1'/>"), [1024, 512]],
  ])('%s', async (_, more, expected, sizeKib = 2048) => {
    const before = free(sizeKib);
    await start(guest(more));
    expect(free(sizeKib)).toEqual(expected);
    await connection.domain.destroyFlags(host.domain('guest').object);
    expect(free(sizeKib)).toEqual(before);
  });

  test('base pages are taken where the guest says so, else when it touches them, which it does not', async () => {
    await start(guest(on('1')));
    expect(free(4)).toEqual([GIB, 1.75 * GIB]);
    host.destroy(host.domain('guest'));
    await start(guest(`<memoryBacking><allocation mode='immediate'/></memoryBacking>${on('1')}`));
    expect(free(4)).toEqual([GIB, 1.75 * GIB - (512 * 1024) / 4]);
  });

  test('guest cells, each on its own, as hugenode writes them', async () => {
    const xml = readFileSync(new URL('../domain/golden/two_cells_2m.xml', import.meta.url), 'utf8');
    await start(xml);
    expect(free()).toEqual([1024 - 64, 512 - 64]);
    expect(host.domains[0]?.definition).toMatchObject({ memoryKib: 256 * 1024, vcpus: 4, isImmediate: true });
  });

  test('a guest cell whose cell lacks pages gets none, and the other gives its back', async () => {
    host.cell(1).pool(2048).take(500);
    const xml = readFileSync(new URL('../domain/golden/two_cells_2m.xml', import.meta.url), 'utf8');
    const domain = await connection.domain.defineXMLFlags(xml);
    // There are enough on the other cell: the mapping succeeds and filling it does not.
    expect(await errorOf(connection.domain.createWithFlags(domain))).toMatchObject({
      code: ErrorCode.INTERNAL_ERROR,
      domain: 10,
      message: expect.stringMatching(
        /^internal error: process exited while connecting to monitor: .* qemu-system-x86_64: qemu_prealloc_mem: preallocating memory failed: Bad address/,
      ),
    });
    expect(free()).toEqual([1024, 12]);
    expect(await connection.domain.getState(domain)).toEqual({ state: DomainState.SHUTOFF, reason: 6 });
  });

  test('a host without enough pages', async () => {
    host.cell(0).pool(2048).take(1000);
    host.cell(1).pool(2048).take(500);
    const domain = await connection.domain.defineXMLFlags(guest(huge()));
    expect(String(await errorOf(connection.domain.createWithFlags(domain)))).toContain(
      'unable to map backing store for guest RAM: Cannot allocate memory',
    );
    expect(free()).toEqual([24, 12]);
  });

  test('«preferred» goes elsewhere when it must', async () => {
    host.cell(1).pool(2048).take(500);
    await start(guest(huge() + on('1', 'preferred')));
    expect(free()).toEqual([1024 - 244, 0]);
  });

  test.each([
    ['a cell that is not there', huge() + on('7'), 'NUMA node 7 is unavailable'],
    ['a page size that is not there', huge("<page size='16' unit='MiB'/>"), 'usable hugetlbfs mount for 16384 KiB'],
  ])('%s', async (_, more, message) => {
    const domain = await connection.domain.defineXMLFlags(guest(more));
    expect(String(await errorOf(connection.domain.createWithFlags(domain)))).toContain(message);
  });
});

describe('domains', () => {
  test('their life, with libvirt’s events ahead of the replies', async () => {
    const told: string[] = [];
    await connection.subscribe(
      'domainLifecycle',
      ({ event, detail, domain }) => void told.push(`${event} ${detail} ${domain.id}`),
    );
    const tell = () => told.splice(0);
    const domain = await connection.domain.defineXMLFlags(guest());
    expect([domain, tell()]).toEqual([{ name: 'guest', uuid: UUID, id: -1 }, ['DEFINED ADDED -1']]);
    await connection.domain.defineXMLFlags(guest('<title>t</title>'));
    expect(tell()).toEqual(['DEFINED UPDATED -1']);
    const running = await connection.domain.createWithFlags(domain);
    expect([running.id, tell()]).toEqual([1, ['RESUMED UNPAUSED 1', 'STARTED BOOTED 1']]);
    await connection.domain.suspend(domain);
    expect(await connection.domain.getState(domain)).toEqual({ state: DomainState.PAUSED, reason: 1 });
    await connection.domain.resume(domain);
    expect(tell()).toEqual(['SUSPENDED PAUSED 1', 'RESUMED UNPAUSED 1']);
    await connection.domain.destroyFlags(domain);
    expect(tell()).toEqual(['STOPPED DESTROYED -1']);
    expect(await connection.domain.getState(domain)).toEqual({ state: DomainState.SHUTOFF, reason: 2 });
    await connection.domain.undefineFlags(domain);
    expect(tell()).toEqual(['UNDEFINED REMOVED -1']);
    expect(await errorOf(connection.domain.getState(domain))).toMatchObject({ code: ErrorCode.NO_DOMAIN });
  });

  test('guests end by themselves', async () => {
    await start(guest(huge()));
    const events = await connection.events('domainLifecycle');
    await connection.domain.shutdownFlags(host.domain('guest').object);
    expect((await events.next()).value).toMatchObject({ event: 'SHUTDOWN', detail: 'GUEST' });
    expect((await events.next()).value).toMatchObject({ event: 'STOPPED', detail: 'SHUTDOWN' });
    expect(free()).toEqual([1024, 512]);
    host.start(host.domain('guest'));
    host.end(host.domain('guest'), 'crash');
    await events.next();
    await events.next();
    expect((await events.next()).value).toMatchObject({ event: 'STOPPED', detail: 'CRASHED' });
    await events.close();
  });

  test('paused at the start', async () => {
    const domain = await connection.domain.defineXMLFlags(guest());
    await connection.domain.createWithFlags(domain, 1);
    expect(await connection.domain.getState(domain)).toEqual({ state: DomainState.PAUSED, reason: 1 });
  });

  test('transient ones are gone with their guest; undefined, a running one becomes so', async () => {
    const domain = await connection.domain.createXML(guest(huge()));
    expect(await connection.domain.isPersistent(domain)).toBe(false);
    await connection.domain.destroy(domain);
    expect(await connection.listAllDomains()).toEqual([]);
    await start(guest());
    await connection.domain.undefineFlags(domain);
    expect(await connection.listAllDomains(ListAllDomainsFlags.TRANSIENT)).toMatchObject([{ name: 'guest' }]);
    await connection.domain.destroy(domain);
    expect(host.domains).toEqual([]);
    host.cell(0).pool(2048).take(1024);
    host.cell(1).pool(2048).take(512);
    await errorOf(connection.domain.createXML(guest(huge())));
    expect(host.domains).toEqual([]);
  });

  test('autodestroy: they end with the connection that started them', async () => {
    await using other = await connect(daemon.uri);
    const domain = await other.domain.defineXMLFlags(guest(huge()));
    await other.domain.createWithFlags(domain, 2);
    expect(free()).toEqual([768, 512]);
    await other.close();
    await expect.poll(() => host.domain('guest').isActive).toBe(false);
    expect(free()).toEqual([1024, 512]);
  });

  test('are found and listed', async () => {
    await start(guest());
    host.define(guest('', 'other', '11111111-2222-4333-8444-555555555555'));
    expect(await connection.domain.lookupByName('guest')).toMatchObject({ uuid: UUID, id: 1 });
    expect(await connection.domain.lookupByUUID(UUID)).toMatchObject({ name: 'guest' });
    expect(await connection.domain.lookupByID(1)).toMatchObject({ name: 'guest' });
    const names = async (flags: number) => (await connection.listAllDomains(flags)).map(({ name }) => name);
    expect(await names(0)).toEqual(['guest', 'other']);
    expect(await names(ListAllDomainsFlags.ACTIVE)).toEqual(['guest']);
    expect(await names(ListAllDomainsFlags.INACTIVE | ListAllDomainsFlags.PERSISTENT)).toEqual(['other']);
    expect(await names(ListAllDomainsFlags.PAUSED)).toEqual([]);
    for (const lookup of [
      connection.domain.lookupByName('nobody'),
      connection.domain.lookupByUUID('11111111-2222-4333-8444-555555555556'),
      connection.domain.lookupByID(9),
    ])
      expect(await errorOf(lookup)).toMatchObject({ code: ErrorCode.NO_DOMAIN, domain: 10 });
  });

  test('what cannot be done is refused as libvirt does', async () => {
    const domain = await connection.domain.defineXMLFlags(guest());
    const invalid = { code: ErrorCode.OPERATION_INVALID };
    expect(await errorOf(connection.domain.destroy(domain))).toMatchObject({
      ...invalid,
      message: expect.stringContaining('domain is not running'),
    });
    await connection.domain.createWithFlags(domain);
    expect(await errorOf(connection.domain.createWithFlags(domain))).toMatchObject({
      ...invalid,
      message: expect.stringContaining('domain is already running'),
    });
    expect(await errorOf(connection.domain.resume(domain))).toMatchObject(invalid);
    expect(await errorOf(connection.domain.createXML(guest()))).toMatchObject(invalid);
    const named = connection.domain.defineXMLFlags(guest('', 'guest', '11111111-2222-4333-8444-555555555555'));
    expect(await errorOf(named)).toMatchObject({ code: ErrorCode.OPERATION_FAILED });
    expect(await errorOf(connection.domain.defineXMLFlags(guest('', 'renamed')))).toMatchObject({
      code: ErrorCode.OPERATION_FAILED,
    });
  });

  test.each([
    ['no XML', 'domain', ErrorCode.XML_DETAIL],
    ['an open tag', '<domain><name>', ErrorCode.XML_DETAIL],
    ['tags that do not match', '<domain><name></domain></name>', ErrorCode.XML_DETAIL],
    ['a document type', '<!DOCTYPE domain><domain/>', ErrorCode.XML_DETAIL],
    ['an entity of its own', '<domain><name>&nbsp;</name></domain>', ErrorCode.XML_DETAIL],
    ['another document', '<network/>', ErrorCode.XML_ERROR],
    ['no name', '<domain><memory>1</memory></domain>', ErrorCode.NO_NAME],
    ['no memory', '<domain><name>n</name></domain>', ErrorCode.XML_ERROR],
    ['memory that is no number', '<domain><name>n</name><memory>much</memory></domain>', ErrorCode.XML_ERROR],
    ['an unknown unit', '<domain><name>n</name><memory unit="pages">1</memory></domain>', ErrorCode.INVALID_ARG],
    ['a uuid that is none', guest('', 'n', 'none'), ErrorCode.XML_ERROR],
    ['a nodeset that is none', guest(on('0-')), ErrorCode.XML_ERROR],
    ['a mode that is none', guest(on('0', 'loose')), ErrorCode.XML_ERROR],
    ['placement by numad', guest("<numatune><memory placement='auto'/></numatune>"), ErrorCode.CONFIG_UNSUPPORTED],
  ])('%s is refused', async (_, xml, code) => {
    expect(await errorOf(connection.domain.defineXMLFlags(xml))).toMatchObject({ code });
    expect(host.domains).toEqual([]);
  });

  test('XML comes back as it went in, with what libvirt adds', async () => {
    const xml =
      '<domain type="kvm"><name>n</name><memory>1024</memory><x a="&lt;&amp;&quot;">&lt;t&gt;</x><!-- c --><e/></domain>';
    const domain = await connection.domain.defineXMLFlags(xml);
    expect(await connection.domain.getXMLDesc(domain)).toBe(
      `<domain type="kvm"><name>n</name><memory>1024</memory><x a="&lt;&amp;&quot;">&lt;t&gt;</x><e/><uuid>${domain.uuid}</uuid></domain>`,
    );
    await connection.domain.createWithFlags(domain);
    expect(await connection.domain.getXMLDesc(domain)).toContain('<domain type="kvm" id="1">');
    const text = '<a><![CDATA[<b>]]>&#65;&#x42;<?pi?></a>';
    expect(renderXml(parseXml(`<?xml version="1.0"?>\n<!-- c -->${text}\n`))).toBe('<a>&lt;b&gt;AB</a>');
  });

  test('metadata: elements by namespace, title, description', async () => {
    const domain = await connection.domain.defineXMLFlags(
      guest('<metadata><o:other xmlns:o="urn:o">stays</o:other></metadata>'),
    );
    const { ELEMENT, TITLE, DESCRIPTION } = DomainMetadataType;
    const get = (type: number, uri: string | null = null) => connection.domain.getMetadata(domain, type, uri);
    expect(await errorOf(get(ELEMENT, 'urn:x'))).toMatchObject({ code: ErrorCode.NO_DOMAIN_METADATA });
    for (const text of ['one', 'two']) {
      await connection.domain.setMetadata(domain, ELEMENT, `<data a="1">${text}</data>`, 'x', 'urn:x');
      expect(await get(ELEMENT, 'urn:x')).toBe(`<data a="1">${text}</data>`);
    }
    expect(await connection.domain.getXMLDesc(domain)).toContain(
      '<metadata><o:other xmlns:o="urn:o">stays</o:other><x:data xmlns:x="urn:x" a="1">two</x:data></metadata>',
    );
    await connection.domain.setMetadata(domain, ELEMENT, null, 'x', 'urn:x');
    expect(await errorOf(get(ELEMENT, 'urn:x'))).toMatchObject({ code: ErrorCode.NO_DOMAIN_METADATA });
    await connection.domain.setMetadata(domain, TITLE, 'T & T');
    await connection.domain.setMetadata(domain, DESCRIPTION, 'D');
    expect([await get(TITLE), await get(DESCRIPTION)]).toEqual(['T & T', 'D']);
    const declared = connection.domain.setMetadata(domain, ELEMENT, '<x:data xmlns:x="urn:x"/>', 'x', 'urn:x');
    expect(await errorOf(declared)).toMatchObject({ code: ErrorCode.INTERNAL_ERROR });
    const live = connection.domain.setMetadata(domain, TITLE, 'x', null, null, 1);
    expect(await errorOf(live)).toMatchObject({ code: ErrorCode.OPERATION_INVALID });
  });

  test('statistics: what runs reports, and what its balloon driver told', async () => {
    const domain = await connection.domain.defineXMLFlags(guest("<currentMemory unit='MiB'>256</currentMemory>"));
    expect(await connection.getAllDomainStats([], 15)).toEqual([
      {
        domain,
        params: {
          'state.state': DomainState.SHUTOFF,
          'state.reason': 0,
          'balloon.current': 262_144,
          'balloon.maximum': 524_288,
          'vcpu.current': 2,
          'vcpu.maximum': 2,
        },
      },
    ]);
    await connection.domain.createWithFlags(domain);
    const fake = host.domain('guest');
    fake.cpuTimeNs = 10n ** 19n;
    fake.balloon = { availableKib: 500_000, unusedKib: 400_000, usableKib: 450_000, lastUpdate: 1_700_000_000 };
    fake.rssKib = 300_000;
    const [record] = await connection.getAllDomainStats([domain], 15);
    expect(record?.params).toMatchObject({
      'state.state': DomainState.RUNNING,
      'cpu.time': 10n ** 19n,
      'balloon.available': 500_000,
      'balloon.last-update': 1_700_000_000,
      'vcpu.1.state': 1,
      'vcpu.1.time': 5n * 10n ** 18n,
    });
    expect(await connection.domain.memoryStats(domain)).toEqual({
      unused: 400_000,
      available: 500_000,
      actual_balloon: 262_144,
      usable: 450_000,
      last_update: 1_700_000_000,
      rss: 300_000,
    });
    expect(await connection.domain.getInfo(domain)).toMatchObject({ maxMemKib: 524_288, cpuTimeNs: 10n ** 19n });
    await connection.domain.setMemoryStatsPeriod(domain, 10);
    expect(fake.statsPeriodSeconds).toBe(10);
    expect(await connection.getAllDomainStats([], 15, ListAllDomainsFlags.INACTIVE)).toEqual([]);
    expect(await errorOf(connection.getAllDomainStats([], 64, 0x80000000))).toMatchObject({
      code: ErrorCode.ARGUMENT_UNSUPPORTED,
    });
  });

  test('the console echoes', async () => {
    const domain = await connection.domain.defineXMLFlags(guest());
    expect(await errorOf(connection.domain.openConsole(domain))).toMatchObject({ code: ErrorCode.OPERATION_INVALID });
    await connection.domain.createWithFlags(domain);
    const stream = await connection.domain.openConsole(domain);
    stream.end('hello');
    expect((await buffer(stream)).toString()).toBe('hello');
  });
});
