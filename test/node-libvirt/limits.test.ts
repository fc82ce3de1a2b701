/** The protocol's limits (REMOTE_*_MAX), from both sides: the last that passes, the first that does not, each way. */
import { describe, expect, test } from 'vitest';
import { ProtocolError } from '../../src/node-libvirt/errors.ts';
import { Procedures } from '../../src/node-libvirt/procedures/index.ts';
import type { Procedure } from '../../src/node-libvirt/procedures/procedure.ts';
import { param } from '../../src/node-libvirt/wire/typed_params.ts';
import { decode, encode } from '../../src/node-libvirt/wire/xdr.ts';

const P = Procedures;
const domain = { name: '', uuid: '6695eb01-f6a4-8304-79aa-97f2502e193f', id: -1 };
const { uuid } = domain;
const named = { name: '', uuid };
const snapshot = { name: '', domain };
const vol = { pool: '', name: '', key: '' };
const lease = {
  iface: '',
  expirySeconds: 0,
  type: 0,
  mac: null,
  iaid: null,
  ipaddr: '',
  prefix: 0,
  hostname: null,
  clientid: null,
};
const aParam = param.int('', 0);

const times =
  <T>(element: T) =>
  (count: number): T[] =>
    Array.from({ length: count }, () => element);

describe('lists that come', () => {
  // The list is the first field of each of these results.
  const rows: readonly (readonly [Procedure, number, (count: number) => unknown])[] = [
    [P.CONNECT_LIST_ALL_DOMAINS, 16_384, (count) => ({ domains: times(domain)(count) })],
    [P.CONNECT_LIST_ALL_NETWORKS, 16_384, (count) => ({ networks: times(named)(count) })],
    [P.CONNECT_LIST_ALL_STORAGE_POOLS, 16_384, (count) => ({ pools: times(named)(count) })],
    [P.STORAGE_POOL_LIST_ALL_VOLUMES, 16_384, (count) => ({ vols: times(vol)(count) })],
    [P.CONNECT_LIST_ALL_SECRETS, 16_384, (count) => ({ secrets: times({ uuid, usageType: 0, usageID: '' })(count) })],
    [P.CONNECT_LIST_ALL_NWFILTERS, 16_384, (count) => ({ nwfilters: times(named)(count) })],
    [P.DOMAIN_LIST_ALL_SNAPSHOTS, 16_384, (count) => ({ snapshots: times(snapshot)(count) })],
    [P.CONNECT_LIST_ALL_NODE_DEVICES, 65_536, (count) => ({ devices: times({ name: '' })(count) })],
    [P.NETWORK_GET_DHCP_LEASES, 65_536, (count) => ({ leases: times(lease)(count) })],
    [P.NODE_GET_FREE_PAGES, 1024, (count) => ({ counts: times(0)(count) })],
    [P.NODE_GET_CELLS_FREE_MEMORY, 1024, (count) => ({ cellsBytes: times(0)(count) })],
    [P.DOMAIN_MEMORY_STATS, 1024, (count) => ({ stats: times({ tag: 0, value: 0 })(count) })],
    [P.DOMAIN_GET_NUMA_PARAMETERS, 16, (count) => ({ params: times(aParam)(count) })],
    [P.DOMAIN_GET_SCHEDULER_PARAMETERS_FLAGS, 16, (count) => ({ params: times(aParam)(count) })],
    [P.AUTH_LIST, 20, (count) => ({ types: times(0)(count) })],
    [P.SECRET_GET_VALUE, 65_536, (count) => ({ value: Buffer.alloc(count) })],
    [P.DOMAIN_GET_VCPU_PIN_INFO, 8_388_608, (count) => ({ cpumaps: Buffer.alloc(count), count: 0 })],
  ];

  test.each(rows.map(([procedure, limit, valueOf]) => ({ name: procedure.name, procedure, limit, valueOf })))(
    '$name: $limit',
    ({ procedure: { result }, limit, valueOf }) => {
      const bytes = encode(result, valueOf(limit));
      expect(encode(result, decode(result, bytes)).equals(bytes)).toBe(true);
      bytes.writeUInt32BE(limit + 1, 0);
      expect(() => decode(result, bytes)).toThrow(ProtocolError);
      expect(() => decode(result, bytes)).toThrow(`at most ${limit} are allowed`);
    },
  );

  test('262144 parameters of a domain', () => {
    const { result } = P.CONNECT_GET_ALL_DOMAIN_STATS;
    const bytes = encode(result, { records: [{ domain, params: times(aParam)(262_144) }] });
    expect(decode(result, bytes).records[0]?.params).toHaveLength(262_144);
    // Behind the count of records and the domain.
    bytes.writeUInt32BE(262_145, 4 + 24);
    expect(() => decode(result, bytes)).toThrow('at most 262144 are allowed');
  });

  test('a migration cookie of 4 MiB', () => {
    const { result } = P.DOMAIN_MIGRATE_PERFORM3_PARAMS;
    const bytes = Buffer.alloc(4 + 4_194_308);
    bytes.writeUInt32BE(4_194_304, 0);
    expect(decode(result, bytes.subarray(0, 4 + 4_194_304))).toEqual({});
    bytes.writeUInt32BE(4_194_305, 0);
    expect(() => decode(result, bytes)).toThrow('at most 4194304 are allowed');
  });

  test('a set of CPUs in 2048 bytes', () => {
    const { result } = P.NODE_GET_CPU_MAP;
    const bytes = encode(result, { onlineCpus: [16_383], cpuCount: 1 });
    expect(decode(result, bytes)).toEqual({ onlineCpus: [16_383], cpuCount: 1 });
    bytes.writeUInt32BE(2049, 0);
    expect(() => decode(result, bytes)).toThrow('at most 2048 are allowed');
  });
});

describe('lists that go', () => {
  const on = { domain, flags: 0 };
  const rows: readonly (readonly [Procedure, number, (count: number) => unknown])[] = [
    [P.CONNECT_GET_ALL_DOMAIN_STATS, 16_384, (count) => ({ domains: times(domain)(count), stats: 0, flags: 0 })],
    [P.NODE_GET_FREE_PAGES, 1024, (count) => ({ pagesKib: times(4)(count), startCell: 0, cellCount: 1, flags: 0 })],
    [P.DOMAIN_SET_NUMA_PARAMETERS, 16, (count) => ({ ...on, params: times(aParam)(count) })],
    [P.DOMAIN_SET_SCHEDULER_PARAMETERS_FLAGS, 16, (count) => ({ ...on, params: times(aParam)(count) })],
    [P.DOMAIN_MIGRATE_PERFORM3_PARAMS, 64, (count) => ({ ...on, dconnuri: null, params: times(aParam)(count) })],
    [P.DOMAIN_FSFREEZE, 256, (count) => ({ ...on, mountpoints: times('/')(count) })],
    [
      P.SECRET_SET_VALUE,
      65_536,
      (count) => ({ secret: { uuid, usageType: 0, usageID: '' }, value: Buffer.alloc(count), flags: 0 }),
    ],
    [P.AUTH_SASL_START, 65_536, (count) => ({ mech: '', nil: 0, data: Buffer.alloc(count) })],
    [P.DOMAIN_PIN_EMULATOR, 16_384, (count) => ({ ...on, cpus: [count - 1] })],
  ];

  test.each(rows.map(([procedure, limit, valueOf]) => ({ name: procedure.name, procedure, limit, valueOf })))(
    '$name: $limit',
    ({ procedure: { args }, limit, valueOf }) => {
      expect(() => encode(args, valueOf(limit))).not.toThrow();
      expect(() => encode(args, valueOf(limit + 1))).toThrow(RangeError);
    },
  );
});
