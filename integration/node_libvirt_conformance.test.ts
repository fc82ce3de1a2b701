/**
 * Every procedure of the table on the real daemon: called through our method, and what came of it compared with what
 * libvirt-python says. What this machine cannot show is listed with the reason.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ErrorCode, Procedures, type Domain } from 'node-libvirt';
import * as constants from '../src/node-libvirt/constants/index.ts';
import type { Entry } from '../src/node-libvirt/procedures/procedure.ts';
import { connectRows } from './conformance/connect_rows.ts';
import { NEWER, PREFIXES, UNNAMED } from './conformance/constants.ts';
import { deviceRows } from './conformance/device_rows.ts';
import { domainRefusals } from './conformance/domain_refusals.ts';
import { domainRows } from './conformance/domain_rows.ts';
import { eventRows } from './conformance/event_rows.ts';
import { makeGuest, tinyXml } from './conformance/guest.ts';
import { networkRows } from './conformance/network_rows.ts';
import { nodeRows } from './conformance/node_rows.ts';
import { resourceRefusals } from './conformance/resource_refusals.ts';
import type { Row, Rows } from './conformance/row.ts';
import { statisticsRows } from './conformance/statistics_rows.ts';
import { storageRows } from './conformance/storage_rows.ts';
import { at, recordOf, World } from './conformance/world.ts';

const parts: readonly Rows[] = [
  connectRows,
  nodeRows,
  domainRows,
  statisticsRows,
  deviceRows,
  networkRows,
  storageRows,
  eventRows,
];
const rows: readonly (readonly [string, Row])[] = parts.flatMap((part) => Object.entries(part));

let world: World;
/** A domain that does not run. */
let spare: Domain;

beforeAll(async () => {
  world = await World.open();
  await makeGuest(world);
  spare = await world.connection.domain.defineXMLFlags(tinyXml(world.nameOf('idle')));
});

afterAll(async () => {
  await world?.close();
});

describe('as libvirt-python says', () => {
  const live = rows.flatMap(([name, row]) => (row.kind === 'live' ? [{ name, check: row.check }] : []));
  test.each(live)('$name', async ({ check }) => {
    await expect(check(world)).resolves.toBeUndefined();
  });
});

describe('refused as libvirt-python is', () => {
  const refused = rows.flatMap(([name, row]) => (row.kind === 'refused' ? [{ ...row, name }] : []));
  test.each(refused)('$name: $why', async ({ check }) => {
    await expect(check(world)).resolves.toBeUndefined();
  });
});

describe('refused as the table says', () => {
  test.each([...domainRefusals, ...resourceRefusals])('$procedure: $code', async ({ procedure, code, call }) => {
    const { entry }: { entry: Entry } = Procedures[procedure];
    expect(Object.keys(entry.method?.throws ?? {})).toContain(code);
    await expect(call(world, spare)).rejects.toMatchObject({ name: 'LibvirtError', code: ErrorCode[code] });
  });
});

test("every constant is libvirt's", async () => {
  const theirs = recordOf(await world.python(at.connect, 'constants'));
  const tables = Object.entries(flatTables());
  expect(tables.flatMap(([set]) => (set in PREFIXES ? [] : [set])).toSorted()).toEqual(UNNAMED);
  for (const [set, members] of tables.filter(([name]) => name in PREFIXES)) {
    const ours = Object.entries(members).map(([name, value]) => [`${PREFIXES[set]}${name}`, value] as const);
    const known = ours.filter(([name]) => name in theirs || !NEWER.includes(name));
    expect(Object.fromEntries(known)).toEqual(Object.fromEntries(known.map(([name]) => [name, theirs[name]])));
  }
});

test('every procedure has one row, and at least 110 are live', () => {
  expect(rows.map(([name]) => name).toSorted()).toEqual(Object.keys(Procedures).toSorted());
  expect(rows.filter(([, { kind }]) => kind === 'live').length).toBeGreaterThanOrEqual(110);
});

/** The tables of constants; those within a table by its name and theirs. */
function flatTables(): Record<string, object> {
  const flat: Record<string, object> = {};
  for (const [set, table] of Object.entries(constants)) {
    if (typeof table === 'function') continue;
    for (const [name, value] of Object.entries<unknown>(table)) {
      if (typeof value === 'object' && value !== null) flat[`${set}.${name}`] = value;
      else flat[set] = table;
    }
  }
  return flat;
}
