/** The table: that it is consistent, that its layouts are libvirt's byte for byte, and that the methods are made of it. */
import { readFileSync } from 'node:fs';
import { assert, gen, pre, property } from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as constants from '../../src/node-libvirt/constants/index.ts';
import { ErrorCode } from '../../src/node-libvirt/error_codes.ts';
import { generatedFiles } from '../../src/node-libvirt/generator/write.ts';
import { Procedures } from '../../src/node-libvirt/procedures/index.ts';
import {
  PROGRAM_VERSION,
  QEMU_PROGRAM,
  type Entry,
  type Procedure,
} from '../../src/node-libvirt/procedures/procedure.ts';
import { param } from '../../src/node-libvirt/wire/typed_params.ts';
import { decode, encode, type Type } from '../../src/node-libvirt/wire/xdr.ts';
import { draw } from './drawing_reader.ts';

const table = Object.entries(Procedures);
const entries: readonly (readonly [string, Entry])[] = table.map(([name, { entry }]) => [name, entry]);

describe('the table', () => {
  test('each procedure bears its key as name and has a number of its own in its program', () => {
    expect(table.filter(([key, { name }]) => key !== name)).toEqual([]);
    expect(new Set(table.map(([, { program, number }]) => `${program} ${number}`)).size).toBe(table.length);
    expect(table.filter(([, { version }]) => version !== PROGRAM_VERSION)).toEqual([]);
  });

  test('what 6.0.0 does not have says since when', () => {
    const remote = table.filter(([, { program }]) => program !== QEMU_PROGRAM);
    expect(remote.filter(([, { number, entry }]) => number > 422 !== 'since' in entry)).toEqual([]);
  });

  test('every table of constants that an entry names is there', () => {
    const named = entries.flatMap(([, { args = {}, result = {} }]) =>
      [...Object.values(args), ...Object.values(result)].flatMap((type) => type.refers ?? []),
    );
    expect(named.length).toBeGreaterThan(50);
    expect(named.filter((name) => !(name in constants))).toEqual([]);
  });

  test('every method has docs, codes that exist and a name of its own', () => {
    const methods = entries.flatMap(([name, { method }]) => (method === undefined ? [] : [{ name, ...method }]));
    expect(methods.filter(({ doc }) => !/^\S.*[.)]$/.test(doc))).toEqual([]);
    expect(methods.flatMap(({ throws = {} }) => Object.keys(throws)).filter((code) => !(code in ErrorCode))).toEqual(
      [],
    );
    expect(new Set(methods.map(({ c }) => c)).size).toBe(methods.length);
    const without = entries.filter(([, { method }]) => method === undefined).map(([name]) => name);
    expect(
      without.filter(
        (name) => !/^(AUTH|CONNECT_(OPEN|CLOSE|SUPPORTS_FEATURE|.*REGISTER.*)|QEMU_.*REGISTER)/.test(name),
      ),
    ).toEqual([]);
  });

  test('the methods that are checked in are those of the table', () => {
    for (const [path, text] of generatedFiles())
      expect({ path, text: readFileSync(path, 'utf8') }).toEqual({ path, text });
  });
});

test.each(table.map(([name, { args, result }]) => ({ name, args, result })))(
  'what is encoded of $name is decoded as it was',
  ({ args, result }) => {
    // The types differ from row to row; here they are but layouts.
    for (const layout of [args, result] as readonly Type<unknown>[])
      assert(
        property(gen(), (generator) => {
          const value = draw(layout, generator);
          pre(value !== undefined);
          const bytes = encode(layout, value);
          expect(bytes.length).toBeGreaterThanOrEqual(layout.minSize);
          expect(decode(layout, bytes)).toEqual(value);
        }),
        { numRuns: 20, maxSkipsPerRun: 10_000 },
      );
  },
);

const bytesOf = (annotated: string) => Buffer.from(annotated.replaceAll(/\/\/.*$/gm, '').replaceAll(/\s/g, ''), 'hex');

const DOMAIN = { name: 'vm1', uuid: '6695eb01-f6a4-8304-79aa-97f2502e193f', id: 7 };
const DOMAIN_HEX = `
  00000003 766d3100                   // name: 3 bytes, «vm1», padding
  6695eb01 f6a48304 79aa97f2 502e193f // uuid
  00000007                            // id
`;

describe('arguments, byte for byte', () => {
  const fixtures: readonly (readonly [Procedure, unknown, string])[] = [
    [
      Procedures.DOMAIN_SET_METADATA,
      { domain: DOMAIN, type: 2, metadata: '<a/>', key: 'k', uri: null, flags: 2 },
      `${DOMAIN_HEX}
      00000002                   // type: element
      00000001 00000004 3c612f3e // metadata: there, 4 bytes, «<a/>»
      00000001 00000001 6b000000 // key: there, 1 byte, «k», padding
      00000000                   // uri: not there
      00000002                   // flags: config`,
    ],
    [
      Procedures.DOMAIN_SET_SCHEDULER_PARAMETERS_FLAGS,
      {
        domain: DOMAIN,
        params: [
          param.int('a', -1),
          param.uint('b', 0xffffffff),
          param.llong('c', -2),
          param.ullong('d', 2n ** 64n - 1n),
          param.double('e', 1.5),
          param.boolean('f', true),
          param.string('g', 'text!'),
        ],
        flags: 1,
      },
      `${DOMAIN_HEX}
      00000007                                               // 7 parameters, each a name, a tag, a value
      00000001 61000000 00000001 ffffffff                   // int
      00000001 62000000 00000002 ffffffff                   // uint
      00000001 63000000 00000003 ffffffff fffffffe          // llong
      00000001 64000000 00000004 ffffffff ffffffff          // ullong
      00000001 65000000 00000005 3ff80000 00000000          // double
      00000001 66000000 00000006 00000001                   // boolean
      00000001 67000000 00000007 00000005 74657874 21000000 // string: 5 bytes and padding
      00000001                                               // flags: live`,
    ],
    [
      Procedures.DOMAIN_GET_NUMA_PARAMETERS,
      { domain: DOMAIN, flags: 2 },
      `${DOMAIN_HEX}
      00000010 // room for 16 parameters
      00000006 // flags: config, and strings are welcome`,
    ],
    [
      Procedures.DOMAIN_PIN_VCPU_FLAGS,
      { domain: DOMAIN, vcpu: 1, cpus: [0, 9], flags: 1 },
      `${DOMAIN_HEX}
      00000001          // vcpu
      00000002 01020000 // cpumap: 2 bytes, CPUs 0 and 9, padding
      00000001          // flags: live`,
    ],
    [
      Procedures.DOMAIN_GET_VCPU_PIN_INFO,
      { domain: DOMAIN, maxVcpus: 2, hostCpus: 16, flags: 0 },
      `${DOMAIN_HEX}
      00000002 // maps
      00000002 // bytes of each
      00000000 // flags`,
    ],
    [
      Procedures.DOMAIN_MIGRATE_PERFORM3_PARAMS,
      { domain: DOMAIN, dconnuri: 'q', params: [], flags: 3 },
      `${DOMAIN_HEX}
      00000001 00000001 71000000 // dconnuri: there, 1 byte, «q», padding
      00000000                   // no parameters
      00000000                   // no cookie
      00000003                   // flags: live, peer-to-peer`,
    ],
    [
      Procedures.STORAGE_VOL_UPLOAD,
      { vol: { pool: 'p', name: 'v', key: '/p/v' }, offsetBytes: 512, lengthBytes: 2 ** 33, flags: 0 },
      `00000001 70000000 // pool
      00000001 76000000 // name
      00000004 2f702f76 // key
      00000000 00000200 // offset
      00000002 00000000 // length
      00000000          // flags`,
    ],
    [
      Procedures.SECRET_SET_VALUE,
      { secret: { uuid: DOMAIN.uuid, usageType: 2, usageID: 'c' }, value: Buffer.from([1, 2, 3, 4, 5]), flags: 0 },
      `6695eb01 f6a48304 79aa97f2 502e193f // uuid
      00000002                            // usage type: ceph
      00000001 63000000                   // usage id
      00000005 01020304 05000000          // value: 5 bytes, padding
      00000000                            // flags`,
    ],
    [
      Procedures.QEMU_DOMAIN_AGENT_COMMAND,
      { domain: DOMAIN, command: '{}', timeoutSeconds: -1, flags: 0 },
      `${DOMAIN_HEX}
      00000002 7b7d0000 // command
      ffffffff          // timeout: the default
      00000000          // flags`,
    ],
  ];

  test.each(fixtures.map(([procedure, value, hex]) => ({ name: procedure.name, procedure, value, hex })))(
    '$name',
    ({ procedure, value, hex }) => {
      expect(encode(procedure.args, value).toString('hex')).toBe(bytesOf(hex).toString('hex'));
      expect(decode(procedure.args, bytesOf(hex))).toEqual(value);
    },
  );
});

describe('results, byte for byte', () => {
  const fixtures: readonly (readonly [Procedure, string, unknown])[] = [
    [
      Procedures.NODE_GET_INFO,
      `00000078 00000038 00000036 0000005f 00000036 00000034 00000000 00000000 // model: «x86_64», each char as four bytes
      ${'00000000'.repeat(24)}
      00000000 01800000 // memory in KiB
      00000002          // cpus
      00000a8c          // mhz
      00000001          // nodes
      00000001          // sockets
      00000001          // cores
      00000002          // threads`,
      { model: 'x86_64', memoryKib: 25_165_824, cpus: 2, mhz: 2700, nodes: 1, sockets: 1, cores: 1, threads: 2 },
    ],
    [
      Procedures.NODE_GET_SECURITY_MODEL,
      `00000004 0000006e 0000006f 0000006e 00000000 // model: «non» and its NUL, each char as four bytes
      00000002 00000030 00000000                   // doi: «0»`,
      { model: 'non', doi: '0' },
    ],
    [
      Procedures.NODE_GET_CPU_MAP,
      `00000001 05000000 // cpumap: 1 byte, CPUs 0 and 2, padding
      00000002          // online
      00000003          // present`,
      { onlineCpus: [0, 2], cpuCount: 3 },
    ],
    [
      Procedures.DOMAIN_GET_INFO,
      `00000001          // state, a char
      00000000 00008000 // maxMem
      00000000 00004000 // memory
      00000003          // nrVirtCpu, a short
      00200000 00000001 // cpuTime, above 2^53`,
      { state: 1, maxMemKib: 32_768, memoryKib: 16_384, nrVirtCpu: 3, cpuTimeNs: 2n ** 53n + 1n },
    ],
    [
      Procedures.DOMAIN_GET_VCPUS,
      `00000001          // one vcpu
      00000000          // number
      00000001          // state: running
      00000000 3b9aca00 // cpuTime
      ffffffff          // cpu: offline
      00000002 03000000 // cpumaps: 2 bytes, padding`,
      { vcpus: [{ number: 0, state: 1, cpuTimeNs: 1_000_000_000n, cpu: -1 }], cpumaps: Buffer.from([3, 0]) },
    ],
    [
      Procedures.NETWORK_GET_DHCP_LEASES,
      `00000001                                                     // one lease
      00000006 76697262 72300000                                   // iface
      00000000 6553f100                                            // expiry
      00000000                                                     // type: IPv4
      00000001 00000011 35323a35 343a3030 3a30303a 30303a30 31000000 // mac
      00000000                                                     // no iaid
      00000008 31302e30 2e302e32                                   // ipaddr
      00000018                                                     // prefix
      00000001 00000001 68000000                                   // hostname
      00000000                                                     // no clientid
      00000001                                                     // how many`,
      {
        leases: [
          {
            iface: 'virbr0',
            expirySeconds: 1_700_000_000,
            type: 0,
            mac: '52:54:00:00:00:01',
            iaid: null,
            ipaddr: '10.0.0.2',
            prefix: 24,
            hostname: 'h',
            clientid: null,
          },
        ],
      },
    ],
    [
      Procedures.DOMAIN_LIST_ALL_SNAPSHOTS,
      `00000001          // one snapshot
      00000001 73000000 // name
      ${DOMAIN_HEX}
      00000001          // how many`,
      { snapshots: [{ name: 's', domain: DOMAIN }] },
    ],
    [Procedures.DOMAIN_MIGRATE_PERFORM3_PARAMS, '00000003 61626300 // a cookie that nobody needs', {}],
  ];

  test.each(fixtures.map(([procedure, hex, value]) => ({ name: procedure.name, procedure, hex, value })))(
    '$name',
    ({ procedure, hex, value }) => {
      expect(decode(procedure.result, bytesOf(hex))).toEqual(value);
    },
  );
});
