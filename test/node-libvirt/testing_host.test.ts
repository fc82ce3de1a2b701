/** The fake host itself: its pools, which shrink and grow with guests, and what QEMU says where pages are missing. */
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readTopology } from '../../src/domain/read.ts';
import { connect, DomainState, ErrorCode, Procedures, type Connection } from '../../src/node-libvirt/index.ts';
import { FakeLibvirtd, type FakeHost } from '../../src/node-libvirt/testing/index.ts';
import { parseXml } from '../../src/node-libvirt/testing/xml.ts';
import { errorOf } from './errors_of.ts';
import { freePages, GIB, guest, huge, on, twoCells, startDomain } from './two_cells.ts';

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

describe('the host', () => {
  test('its capabilities are what a reader of libvirt’s finds', async () => {
    expect(readTopology(await connection.getCapabilities())).toEqual({
      arch: 'x86_64',
      virtTypes: ['qemu', 'kvm'],
      nodes: [
        {
          node: 0,
          cpus: [0, 1, 2, 3],
          siblings: [[0], [1], [2], [3]],
          memoryKib: 8 * GIB,
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
          siblings: [[4], [5], [6], [7]],
          memoryKib: 8 * GIB,
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
