import fc from 'fast-check';
import { expect, test } from 'vitest';
import { API_VERSION, apiEndpoint } from '../../src/api/endpoint.ts';
import { ERROR_MODULE } from '../../src/api/faults.ts';
import { planView } from '../../src/api/plan_views.ts';
import { ERROR_CLASSES } from '../../src/errors.ts';
import { RemoteFault, type Handler, type Method } from '../../src/rpc/index.ts';
import { isCompatible } from '../../src/rpc/dispatch.ts';
import { coreOf } from '../compute/core.ts';
import { placedCell } from '../domain/instances.ts';

function apiOf(pools = [64]) {
  const core = coreOf(pools);
  const { methods } = apiEndpoint({
    compute: core.compute,
    usage: async (query) => ({ ...query, untilMs: query.toMs, sinceMs: 0, rows: [] }),
    host: 'cmp1',
    served: () => ({
      readiness: { ready: false, reasons: ['why not'] },
      requests: { taken: 3, waiting: 2, unreadable: 1 },
    }),
  });
  const byName: Readonly<Record<string, Handler | Method>> = Object.fromEntries(
    methods instanceof Map ? methods : Object.entries(methods),
  );
  const call = async (name: string, args: Record<string, unknown> = {}) => {
    const method = byName[name];
    if (typeof method !== 'object') throw new Error(`no method ${name}`);
    return method.handler({ method: name, args, context: {}, isResumed: false, signal: new AbortController().signal });
  };
  return { ...core, call };
}

const UUID = '46b5e582-9784-4efc-9a0f-360244828e3f';
const good = { uuid: UUID, name: 'web', project_id: 'p', user_id: 'u', flavor: { name: 'f', vcpus: 1, memory_mb: 32 } };

test('API 1.1: create, get, list, host, delete', async () => {
  const { call } = apiOf();
  const created = await call('create_instance', good);
  expect(created).toMatchObject({
    uuid: UUID,
    host: 'cmp1',
    vm_state: 'active',
    power_state: 'running',
    flavor: { name: 'f', vcpus: 1, memory_mb: 32, disk_gb: 0, extra_specs: {} },
    image: null,
    placement: [{ guest_cell: 0, node: 0, page_size_kib: 2048, pages: 16, memory_mb: 32, vcpus: [0] }],
  });
  expect(await call('get_instance', { uuid: UUID })).toEqual(created);
  expect(await call('get_instance', { uuid: UUID.toUpperCase() })).toEqual(created);
  expect(await call('list_instances')).toEqual([created]);
  expect(await call('get_host')).toMatchObject({
    host: 'cmp1',
    api_version: API_VERSION,
    instances: 1,
    readiness: { ready: false, reasons: ['why not'] },
    requests: { taken: 3, waiting: 2, unreadable: 1 },
  });
  expect(await call('delete_instance', { uuid: UUID })).toBeNull();
  await expect(call('get_instance', { uuid: UUID })).rejects.toMatchObject({
    className: 'InstanceNotFound',
    module: ERROR_MODULE,
  });
});

test('get_host tells who holds the pages where it is asked to, and takes no other argument', async () => {
  const { call, driver } = apiOf([64, 8]);
  await call('create_instance', good);
  for (const args of [{}, { holders: false }]) expect(await call('get_host', args)).not.toHaveProperty('holders');
  const ours = { instance: { uuid: UUID, name: 'web' }, pid: 1000, command: 'qemu-system-x86' };
  const pool = { page_size_kib: 2048, promised: 0, unexplained: 0 };
  expect(await call('get_host', { holders: true })).toMatchObject({
    api_version: '1.1',
    holders: {
      available: true,
      pools: [
        { ...pool, node: 0, total: 64, free: 48, holders: [{ ...ours, pages: 16, also_mapped: 0 }] },
        { ...pool, node: 1, total: 8, free: 8, holders: [] },
      ],
      unreadable: [],
    },
  });
  driver.faults.add('remote');
  expect(await call('get_host', { holders: true })).toMatchObject({
    holders: { available: false, pools: [], unreadable: [] },
  });
  await expect(call('get_host', { holders: 'yes' })).rejects.toMatchObject({ className: 'InvalidRequest' });
  await expect(call('get_host', { holder: true })).rejects.toMatchObject({ className: 'InvalidRequest' });
});

test('plan_instance: how many fit, where, why not one more; nothing is claimed', async () => {
  const { call, driver, ledger, events } = apiOf([64, 40]);
  const asked = { flavor: { vcpus: 1, memory_mb: 64 } };
  expect(await call('plan_instance', asked)).toEqual({
    shut_off_instances: 'keep',
    wanted: 1,
    fits: 1,
    instances: [{ cells: [expect.objectContaining({ guest_cell: 0, node: 0, page_size_kib: 2048, pages: 32 })] }],
    refusal: null,
    advice: [],
  });
  expect(await call('plan_instance', { ...asked, count: 4 })).toMatchObject({
    wanted: 4,
    fits: 3,
    refusal: { code: 'no-host-cell', pairs: [{ node: 0 }, { node: 1, reason: { code: 'pages' } }] },
    advice: [
      { kind: 'free-pages', free: [{ node: 1, page_size_kib: 2048, pages: 24 }] },
      { kind: 'other-page-size', field: 'hw:mem_page_size', value: 'small' },
    ],
  });
  expect(planView.parse(await call('plan_instance', { ...asked, fill: true }))).toMatchObject({
    shut_off_instances: 'keep',
    fits: 3,
    at_least: false,
    nodes: [
      { node: 0, pages: 64 },
      { node: 1, pages: 32 },
    ],
  });
  expect([driver.spawned, events, ledger.unsettled()]).toEqual([0, [], []]);
});

test('plan_instance counts what is claimed, and agrees with create_instance', async () => {
  const { call, ledger } = apiOf([64]);
  const claim = ledger.add({ instanceUuid: 'starting', projectId: 'p' }, [placedCell({ pages: 40 })]);
  const asked = { flavor: { vcpus: 1, memory_mb: 64 } };
  expect(await call('plan_instance', asked)).toMatchObject({
    fits: 0,
    advice: [{ text: expect.stringMatching(/^free 8 pages of 2 MiB/) }, { value: 'small' }],
  });
  ledger.end(claim);
  expect(await call('plan_instance', asked)).toMatchObject({ fits: 1 });
  await call('create_instance', flavor({ memory_mb: 64 }));
  expect(await call('plan_instance', { ...asked, fill: true })).toMatchObject({ fits: 1 });
});

test('plan_instance: every answer that it gives is one that our client reads', async () => {
  const { call } = apiOf([64, 8]);
  const specs = [{}, { 'hw:numa_nodes': '2' }, { 'hw:numa_nodes': '3' }, { 'hw:mem_page_size': '1GB' }];
  const policies = [{}, { 'hw:cpu_policy': 'dedicated', 'hw:emulator_threads_policy': 'isolate' }];
  for (const extra_specs of specs.flatMap((one) => policies.map((other) => ({ ...one, ...other })))) {
    for (const ask of [{ count: 40 }, { fill: true }]) {
      const answer = await call('plan_instance', { flavor: { vcpus: 6, memory_mb: 36, extra_specs }, ...ask });
      expect(planView.parse(JSON.parse(JSON.stringify(answer)))).toEqual(answer);
    }
  }
});

test('get_usage: a span with zones, of one project or all; nonsense is refused by name', async () => {
  const { call } = apiOf();
  const from = '2026-11-01T02:00:00+02:00';
  expect(await call('get_usage', { from, to: '2026-12-01T00:00:00Z', project_id: 'p' })).toEqual({
    host: 'cmp1',
    from: '2026-11-01T00:00:00.000Z',
    to: '2026-12-01T00:00:00.000Z',
    until: '2026-12-01T00:00:00.000Z',
    since: '1970-01-01T00:00:00.000Z',
    usage: [],
  });
  for (const [args, field] of [
    [{}, 'from'],
    [{ from: '2026-11-01' }, 'from'],
    [{ from: 'yesterday' }, 'from'],
    [{ from: '2026-11-01T00:00:00' }, 'from'],
    [{ from, to: from }, 'to'],
    [{ from, project_id: '' }, 'project_id'],
    [{ from, instance: 'x' }, 'instance'],
  ] as const) {
    await expect(call('get_usage', args)).rejects.toMatchObject({
      className: 'InvalidRequest',
      message: expect.stringContaining(`${field}: `),
    });
  }
});

test('the default page size stands in for what an alternative leaves open', async () => {
  const { call } = apiOf([64, 64]);
  const asked = { flavor: { vcpus: 2, memory_mb: 256, extra_specs: { 'hw:numa_nodes': '1' } } };
  expect(await call('plan_instance', asked)).toMatchObject({
    advice: expect.arrayContaining([
      expect.objectContaining({
        field: 'hw:numa_nodes',
        value: '2',
        cells: [expect.objectContaining({ page_size_kib: 2048 }), expect.objectContaining({ page_size_kib: 2048 })],
      }),
    ]),
  });
});

test.each([
  ['InvalidRequest', { count: 0 }],
  ['InvalidRequest', { count: 1001 }],
  ['InvalidRequest', { fill: 'yes' }],
  ['InvalidRequest', { uuid: UUID }],
  ['UnsupportedExtraSpec', { image_properties: { hw_disk_bus: 'scsi' } }],
  ['MemoryPageSizeInvalid', { flavor: { vcpus: 1, memory_mb: 1, extra_specs: { 'hw:mem_page_size': '2mb' } } }],
])('plan_instance: %s of %j', async (className, over) => {
  const asked = { flavor: { vcpus: 1, memory_mb: 2 }, ...over };
  await expect(apiOf().call('plan_instance', asked)).rejects.toMatchObject({ className, module: ERROR_MODULE });
});

test('clients of 1.0 are served', () => {
  expect(isCompatible(API_VERSION, '1.0')).toBe(true);
});

test('<>&"\' in a name are legal and survive', async () => {
  const { call } = apiOf();
  expect(await call('create_instance', { ...good, name: `<>&"'` })).toMatchObject({ name: `<>&"'` });
});

const flavor = (over: object) => ({ ...good, flavor: { ...good.flavor, ...over } });

test.each([
  ['no uuid', { ...good, uuid: undefined }, 'uuid'],
  ['a uuid that is none', { ...good, uuid: '../../etc' }, 'uuid'],
  ['an empty name', { ...good, name: '' }, 'name'],
  ['a name of control characters', { ...good, name: 'a\nb' }, 'name'],
  ['a name that XML cannot hold', { ...good, name: 'a\uFFFE' }, 'name'],
  ['half a character', { ...good, name: 'a\uD800' }, 'name'],
  ['a name too long', { ...good, name: 'x'.repeat(256) }, 'name'],
  ['a name that is a number', { ...good, name: 1 }, 'name'],
  ['an unknown field', { ...good, nmae: 'x' }, 'nmae'],
  ['an unknown field of the flavor', flavor({ ram: 1 }), 'flavor.ram'],
  ['no flavor', { ...good, flavor: undefined }, 'flavor'],
  ['no memory', flavor({ memory_mb: 0 }), 'flavor.memory_mb'],
  ['negative memory', flavor({ memory_mb: -1 }), 'flavor.memory_mb'],
  ['memory of 2^53', flavor({ memory_mb: 2 ** 53 }), 'flavor.memory_mb'],
  ['memory that is text', flavor({ memory_mb: '32' }), 'flavor.memory_mb'],
  ['half a MiB', flavor({ memory_mb: 0.5 }), 'flavor.memory_mb'],
  ['no vCPU', flavor({ vcpus: 0 }), 'flavor.vcpus'],
  ['a million vCPUs', flavor({ vcpus: 1e6 }), 'flavor.vcpus'],
  ['a negative disk', flavor({ disk_gb: -1 }), 'flavor.disk_gb'],
  [
    'an extra spec that is a number',
    flavor({ extra_specs: { 'hw:numa_nodes': 2 } }),
    'flavor.extra_specs.hw:numa_nodes',
  ],
  ['a path for an image', { ...good, image: '../../../etc/passwd' }, 'image'],
  ['an absolute path for an image', { ...good, image: '/etc' }, 'image'],
  ['a hidden folder for an image', { ...good, image: '.ssh' }, 'image'],
  ['metadata that is a list', { ...good, metadata: ['a'] }, 'metadata'],
])('%s is an InvalidRequest that names the field', async (_what, args, field) => {
  const { call, driver, events } = apiOf();
  const given: Record<string, unknown> = JSON.parse(JSON.stringify(args));
  await expect(call('create_instance', given)).rejects.toMatchObject({
    className: 'InvalidRequest',
    module: ERROR_MODULE,
    message: expect.stringContaining(field),
    kwargs: { problems: expect.arrayContaining([expect.objectContaining({ field })]) },
  });
  expect(driver.spawned).toBe(0);
  expect(events).toEqual([]);
});

test.each([
  ['UnsupportedExtraSpec', flavor({ extra_specs: { 'quota:cpu_shares': '1' } }), 'quota:cpu_shares'],
  ['UnsupportedExtraSpec', { ...good, image_properties: { hw_disk_bus: 'scsi' } }, 'hw_disk_bus'],
  ['MemoryPageSizeInvalid', flavor({ extra_specs: { 'hw:mem_page_size': '2mb' } }), 'hw:mem_page_size'],
  ['MemoryPageSizeNotSupported', flavor({ extra_specs: { 'hw:mem_page_size': '16' } }), '16 KiB'],
  ['MemoryNotWholePages', flavor({ memory_mb: 33 }), '33792 KiB'],
  ['ComputeResourcesUnavailable', flavor({ memory_mb: 4096 }), '2048 pages of 2 MiB needed, 64 free'],
  ['ComputeResourcesUnavailable', flavor({ vcpus: 2, extra_specs: { 'hw:numa_nodes': '2' } }), '2 NUMA cells'],
  ['ImageNotFound', { ...good, image: 'none' }, 'none'],
])('%s crosses the wire by its own name', async (className, args, part) => {
  const { call } = apiOf();
  await expect(call('create_instance', args)).rejects.toMatchObject({
    className,
    message: expect.stringContaining(part),
  });
});

const outcomeOf = (answer: Promise<unknown> | undefined) =>
  Promise.resolve(answer).then(
    () => 'served',
    (error: unknown) => (error instanceof RemoteFault ? error.className : String(error)),
  );

test('property: whatever is asked, the answer is an instance or a fault of a documented class, and nothing leaks', async () => {
  const outcomes = ['served', 'InvalidRequest', ...Object.keys(ERROR_CLASSES)];
  const odd = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.integer(),
    fc.double(),
    fc.constant(null),
    fc.constant(true),
    fc.array(fc.string()),
  );
  // Mostly what a caller would send, so that many requests get past the door and some are served.
  const mostly = <T>(usual: fc.Arbitrary<T>) =>
    fc.oneof({ weight: 15, arbitrary: usual }, { weight: 1, arbitrary: odd });
  const specs = fc.dictionary(
    fc.constantFrom('hw:mem_page_size', 'hw:numa_nodes', 'hw:cpu_policy', '__proto__', 'plain'),
    mostly(fc.constantFrom('2MB', 'large', 'small', 'any', '1', '2', '0', '1GB', '')),
    { maxKeys: 2 },
  );
  const flavors = fc.record({
    name: mostly(fc.constant('f')),
    vcpus: mostly(fc.integer({ min: 1, max: 5 })),
    memory_mb: mostly(fc.integer({ min: -1, max: 70 }).map((half) => half * 2)),
    extra_specs: mostly(specs),
  });
  const requests = fc.record(
    {
      uuid: mostly(fc.uuid()),
      name: mostly(fc.string({ unit: 'grapheme', minLength: 1 })),
      project_id: mostly(fc.constant('p')),
      user_id: mostly(fc.constant('u')),
      flavor: mostly(flavors),
      image: mostly(fc.constant(null)),
      metadata: mostly(fc.dictionary(fc.string({ minLength: 1 }), fc.string())),
    },
    { requiredKeys: ['uuid', 'name', 'project_id', 'user_id', 'flavor'] },
  );
  const withExtra = fc.tuple(requests, odd).map(([request, extra]) => ({ ...request, extra }));
  const asked = fc.oneof({ weight: 15, arbitrary: requests }, { weight: 1, arbitrary: withExtra });
  const { call, driver, ledger } = apiOf([64]);
  let served = 0;
  await fc.assert(
    fc.asyncProperty(asked, async (request) => {
      const outcome = await outcomeOf(call('create_instance', request));
      expect(outcomes).toContain(outcome);
      if (outcome === 'served') {
        served += 1;
        await call('delete_instance', { uuid: request.uuid });
      }
      expect(driver.freePages).toEqual([64]);
      expect(ledger.unsettled()).toEqual([]);
    }),
    { numRuns: 1500 },
  );
  expect(served).toBeGreaterThan(50);
});
