/** Events of the real daemon: every one can be subscribed to, and those that this machine can cause arrive. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  connect,
  DomainMetadataType,
  DomainModificationImpact,
  ErrorCode,
  Events,
  type Connection,
  type Domain,
  type EventName,
  type EventOf,
} from 'node-libvirt';

const NAME = `nlv-events-${process.pid}`;
/** Not in the libvirt this was written against; a newer daemon takes it. */
const NEWEST: EventName = 'domainNicMacChange';
const eventNames = Object.keys(Events).filter((name): name is EventName => name in Events);

let connection: Connection;

beforeAll(async () => {
  connection = await connect();
});

afterAll(async () => {
  await connection?.close();
});

test.for(eventNames)('%s can be subscribed to and left', async (name) => {
  const outcome = await connection
    .subscribe(name, () => undefined)
    .then(
      async (subscription) => {
        await subscription.close();
        return 'taken';
      },
      (error: { name: string; code: number }) => `${error.name} ${error.code}`,
    );
  const refusal = `LibvirtError ${ErrorCode.INTERNAL_ERROR}`;
  expect(name === NEWEST ? ['taken', refusal] : ['taken']).toContain(outcome);
});

describe('a domain', () => {
  let domain: Domain;

  beforeAll(async () => {
    domain = await connection.domain.createXML(domainXml());
  });

  afterAll(async () => {
    if (domain !== undefined) await connection.domain.destroyFlags(domain);
  });

  test('lifecycle: the order of a pause, in one subscription for two listeners', async () => {
    const seen: string[] = [];
    await using first = await connection.subscribe('domainLifecycle', ({ event }) => void seen.push(`a ${event}`), {
      domain,
    });
    await using second = await connection.subscribe('domainLifecycle', ({ event }) => void seen.push(`b ${event}`), {
      domain,
    });
    await connection.domain.suspend(domain);
    await connection.domain.resume(domain);
    await expect.poll(() => seen).toEqual(['a SUSPENDED', 'b SUSPENDED', 'a RESUMED', 'b RESUMED']);
    expect([first, second]).toHaveLength(2);
  });

  test('metadata', async () => {
    const event = await caused('domainMetadataChange', () =>
      connection.domain.setMetadata(
        domain,
        DomainMetadataType.ELEMENT,
        '<note/>',
        'nlv',
        'urn:nlv',
        DomainModificationImpact.LIVE,
      ),
    );
    expect(event).toEqual({ domain, type: 'ELEMENT', uri: 'urn:nlv' });
  });

  test('tuning: the new values', async () => {
    const event = await caused('domainTunable', () => connection.domain.pinVcpuFlags(domain, 0, [0]));
    expect(event).toMatchObject({ domain, params: [{ field: 'cputune.vcpupin0', type: 'string', value: '0' }] });
  });

  test('reboot', async () => {
    expect(await caused('domainReboot', () => connection.domain.reset(domain))).toEqual({ domain });
  });

  test('a device that comes and goes', async () => {
    const device = `<input type='tablet' bus='usb'><alias name='ua-tablet'/></input>`;
    const added = await caused('domainDeviceAdded', () => connection.domain.attachDeviceFlags(domain, device));
    expect(added).toEqual({ domain, device: 'ua-tablet' });
    const removed = await caused('domainDeviceRemoved', () => connection.domain.detachDeviceFlags(domain, device));
    expect(removed).toEqual({ domain, device: 'ua-tablet' });
  });

  test("QEMU's monitor, filtered by the daemon", async () => {
    const seen: string[] = [];
    const all = await connection.subscribe('qemuMonitorEvent', ({ event }) => void seen.push(`all ${event}`));
    const stops = await connection.subscribe('qemuMonitorEvent', ({ event }) => void seen.push(`stops ${event}`), {
      domain,
      event: 'STOP',
    });
    await connection.qemu.monitorCommand(domain, '{"execute":"stop"}');
    await connection.qemu.monitorCommand(domain, '{"execute":"cont"}');
    await expect.poll(() => seen.toSorted()).toEqual(['all RESUME', 'all STOP', 'stops STOP']);
    await all.close();
    await stops.close();
  });

  test('a slow consumer loses the oldest and is told how many', async () => {
    await using events = await connection.events('domainLifecycle', { domain, bufferSize: 3 });
    for (let round = 0; round < 3; round += 1) {
      await connection.domain.suspend(domain);
      await connection.domain.resume(domain);
    }
    await expect.poll(() => events.dropped + events.buffered).toBe(6);
    expect(events.dropped).toBe(3);
    expect((await events.next()).value).toMatchObject({ event: 'RESUMED' });
    expect((await events.next()).value).toMatchObject({ event: 'SUSPENDED' });
  });
});

test('networks', async () => {
  const xml = `<network><name>${NAME}</name><bridge name='nlvev${process.pid % 10_000}'/></network>`;
  const defined = await caused('networkLifecycle', () => connection.network.defineXML(xml));
  const { network } = defined;
  expect(defined).toEqual({ network: { name: NAME, uuid: expect.any(String) }, event: 'DEFINED', detail: 0 });
  const undefinedEvent = await caused('networkLifecycle', () => connection.network.undefine(network));
  expect(undefinedEvent).toMatchObject({ network, event: 'UNDEFINED' });
});

test('storage pools', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'nlv-'));
  const xml = `<pool type='dir'><name>${NAME}</name><target><path>${folder}</path></target></pool>`;
  const started = await caused('storagePoolLifecycle', () => connection.storagePool.createXML(xml));
  const { pool } = started;
  try {
    expect(started).toMatchObject({ pool: { name: NAME }, event: 'STARTED' });
    expect(await caused('storagePoolRefresh', () => connection.storagePool.refresh(pool))).toEqual({ pool });
  } finally {
    const stopped = await caused('storagePoolLifecycle', () => connection.storagePool.destroy(pool));
    expect(stopped).toMatchObject({ pool, event: 'STOPPED' });
    await rm(folder, { recursive: true });
  }
});

test('secrets', async () => {
  const uuid = randomUUID();
  const xml = `<secret ephemeral='yes' private='no'><uuid>${uuid}</uuid><usage type='ceph'><name>${NAME}</name></usage></secret>`;
  const defined = await caused('secretLifecycle', () => connection.secret.defineXML(xml));
  const { secret } = defined;
  try {
    expect(defined).toMatchObject({ secret: { uuid, usageID: NAME }, event: 'DEFINED' });
    const changed = await caused('secretValueChanged', () => connection.secret.setValue(secret, Buffer.from('x')));
    expect(changed).toMatchObject({ secret: { uuid } });
  } finally {
    await connection.secret.undefine(secret);
  }
});

/** The first event of this name that the act brings about; others may act on this host, so only ours counts. */
async function caused<N extends EventName>(name: N, act: () => Promise<unknown>): Promise<EventOf<N>> {
  await using events = await connection.events(name, { signal: AbortSignal.timeout(20_000) });
  await act();
  for await (const event of events) if (JSON.stringify(event, bigintAsText).includes(NAME)) return event;
  throw new Error(`${name} did not come`);
}

function bigintAsText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}

function domainXml(): string {
  return `<domain type='qemu'>
  <name>${NAME}</name>
  <memory unit='MiB'>32</memory>
  <os><type arch='x86_64'>hvm</type></os>
  <devices><controller type='usb' model='qemu-xhci'/><memballoon model='none'/></devices>
</domain>`;
}
