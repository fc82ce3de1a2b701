/** Domains of the fake host: their life as libvirt tells it, what is refused, XML, metadata and statistics. */
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  connect,
  DomainMetadataType,
  DomainState,
  ErrorCode,
  ListAllDomainsFlags,
  type Connection,
} from '../../src/node-libvirt/index.ts';
import { FakeLibvirtd, type FakeHost } from '../../src/node-libvirt/testing/index.ts';
import { parseXml, renderXml } from '../../src/node-libvirt/testing/xml.ts';
import { errorOf } from './errors_of.ts';
import { freePages, guest, huge, on, twoCells, UUID, startDomain } from './two_cells.ts';

let host: FakeHost;
let daemon: FakeLibvirtd;
let connection: Connection;

beforeEach(async () => {
  host = twoCells();
  daemon = await FakeLibvirtd.open({ host });
  connection = await connect({ socketPath: daemon.socketPath });
});

afterEach(async () => {
  await connection.close();
  await daemon[Symbol.asyncDispose]();
});

const free = (sizeKib?: number) => freePages(host, sizeKib);
const start = (xml: string) => startDomain(connection, xml);

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
