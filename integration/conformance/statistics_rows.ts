/** Domains: statistics and tuning. */
// Rows run inside of the tests that the table becomes.
// oxlint-disable vitest/no-standalone-expect
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import {
  DomainBlockCopyFlags,
  DomainBlockJobAbortFlags,
  DomainBlockJobType,
  DomainMemoryModFlags,
  DomainModificationImpact,
  DomainSnapshotCreateFlags,
  DomainVcpuFlags,
  ErrorCode,
  param,
} from 'node-libvirt';
import { withTesting } from './domain_rows.ts';
import { diskPath, GUEST_MAC, GUEST_MEMORY_KIB } from './guest.ts';
import { live, type Rows } from './row.ts';
import { at, cpusOf, listOf, recordOf, sameRefusal, settled, type World } from './world.ts';

const { LIVE, CONFIG } = DomainModificationImpact;
const DISK = 'vda';
const MIB = 1024 * 1024;
/** What libvirt-python calls by another name than libvirt. */
const OF_PYTHON: Readonly<Record<string, string>> = { actual_balloon: 'actual' };

export const statisticsRows: Rows = {
  DOMAIN_MEMORY_STATS: live(async ({ connection, python, guest }) => {
    const ours = await connection.domain.memoryStats(guest);
    expect(ours.actual_balloon).toBe(GUEST_MEMORY_KIB);
    await settled(
      async () =>
        Object.fromEntries(
          Object.entries(await connection.domain.memoryStats(guest)).map(([name, value]) => [
            OF_PYTHON[name] ?? name,
            value,
          ]),
        ),
      () => python(at.domain(guest), 'memoryStats'),
    );
  }),
  DOMAIN_SET_MEMORY_STATS_PERIOD: live(async ({ connection, python, guest }) => {
    await connection.domain.setMemoryStatsPeriod(guest, 7, DomainMemoryModFlags.CONFIG);
    expect(await python(at.domain(guest), 'XMLDesc', 2)).toContain("<stats period='7'/>");
  }),
  DOMAIN_SET_MEMORY_FLAGS: live(async ({ connection, python, guest }) => {
    await connection.domain.setMemoryFlags(guest, 32_768, DomainMemoryModFlags.CONFIG);
    expect(await python(at.domain(guest), 'XMLDesc', 2)).toContain("<currentMemory unit='KiB'>32768<");
    await python(at.domain(guest), 'setMemoryFlags', GUEST_MEMORY_KIB, DomainMemoryModFlags.CONFIG);
    await sameRefusal(
      () => connection.domain.setMemoryFlags(guest, 2 * GUEST_MEMORY_KIB),
      () => python(at.domain(guest), 'setMemoryFlags', 2 * GUEST_MEMORY_KIB, 0),
    );
  }),
  DOMAIN_GET_MAX_MEMORY: live(async ({ connection, python, guest }) => {
    expect(await connection.domain.getMaxMemory(guest)).toBe(await python(at.domain(guest), 'maxMemory'));
  }),
  // Where the host has no cpuacct cgroup, only the test driver knows these.
  DOMAIN_GET_CPU_STATS: live((world) =>
    withTesting(world, async (domain) => {
      const total = await world.testing.domain.getCPUStats(domain, -1, 1);
      const theirTotal = listOf(await world.pythonTesting(at.domain(domain), 'getCPUStats', true, 0));
      expect(total.map((row) => Object.keys(row))).toEqual(theirTotal.map((row) => Object.keys(recordOf(row))));
      const theirs = listOf(await world.pythonTesting(at.domain(domain), 'getCPUStats', false, 0));
      const ours = await world.testing.domain.getCPUStats(domain, 0, theirs.length);
      expect(ours.map((row) => Object.keys(row))).toEqual(theirs.map((row) => Object.keys(recordOf(row))));
    }),
  ),
  DOMAIN_GET_VCPUS: live(async ({ connection, python, guest }) => {
    // libvirt-python has the sets of CPUs apart.
    await settled(
      () => connection.domain.getVcpus(guest, 2),
      () => python(at.domain(guest), 'vcpus'),
      (theirs) => {
        const [vcpus, maps] = listOf(theirs).map(listOf);
        return vcpus?.map((vcpu, index) => {
          const [number, state, cpuTime, cpu] = listOf(vcpu);
          return { number, state, cpuTimeNs: BigInt(String(cpuTime)), cpu, cpus: cpusOf(maps?.[index]) };
        });
      },
    );
  }),
  DOMAIN_GET_VCPUS_FLAGS: live(async ({ connection, python, guest }) => {
    for (const flags of [0, DomainVcpuFlags.MAXIMUM, DomainVcpuFlags.MAXIMUM | DomainVcpuFlags.CONFIG])
      expect(await connection.domain.getVcpusFlags(guest, flags)).toBe(
        await python(at.domain(guest), 'vcpusFlags', flags),
      );
  }),
  DOMAIN_SET_VCPUS_FLAGS: live(async ({ connection, python, guest }) => {
    for (const count of [2, 1]) {
      await connection.domain.setVcpusFlags(guest, count, DomainVcpuFlags.CONFIG);
      expect(await python(at.domain(guest), 'vcpusFlags', DomainVcpuFlags.CONFIG)).toBe(count);
    }
  }),
  DOMAIN_PIN_VCPU_FLAGS: live(async ({ connection, python, guest }) => {
    for (const cpus of [[0], [0, 1]]) {
      await connection.domain.pinVcpuFlags(guest, 0, cpus, LIVE);
      expect(cpusOf(listOf(await python(at.domain(guest), 'vcpuPinInfo', LIVE))[0])).toEqual(cpus);
    }
  }),
  DOMAIN_GET_VCPU_PIN_INFO: live(async ({ connection, python, guest }) => {
    await python(at.domain(guest), 'pinVcpuFlags', 0, { $tuple: [false, true] }, CONFIG);
    const ours = await connection.domain.getVcpuPinInfo(guest, 1, undefined, CONFIG);
    expect(ours).toEqual([[1]]);
    expect(ours).toEqual(listOf(await python(at.domain(guest), 'vcpuPinInfo', CONFIG)).map(cpusOf));
  }),
  DOMAIN_PIN_EMULATOR: live(async ({ connection, python, guest }) => {
    for (const cpus of [[1], [0, 1]]) {
      await connection.domain.pinEmulator(guest, cpus, LIVE);
      expect(cpusOf(await python(at.domain(guest), 'emulatorPinInfo', LIVE))).toEqual(cpus);
    }
  }),
  DOMAIN_GET_EMULATOR_PIN_INFO: live(async ({ connection, python, guest }) => {
    await python(at.domain(guest), 'pinEmulator', { $tuple: [true, false] }, CONFIG);
    expect(await connection.domain.getEmulatorPinInfo(guest, undefined, CONFIG)).toEqual([0]);
    expect(await connection.domain.getEmulatorPinInfo(guest)).toEqual(
      cpusOf(await python(at.domain(guest), 'emulatorPinInfo', 0)),
    );
  }),
  DOMAIN_GET_NUMA_PARAMETERS: live(async ({ connection, python, guest }) => {
    await python(at.domain(guest), 'setNumaParameters', { numa_nodeset: '0' }, CONFIG);
    const ours = await connection.domain.getNumaParameters(guest, CONFIG);
    expect(ours).toEqual({ numa_mode: 0, numa_nodeset: '0' });
    expect(ours).toEqual(await python(at.domain(guest), 'numaParameters', CONFIG));
  }),
  DOMAIN_SET_NUMA_PARAMETERS: live(async ({ connection, python, guest }) => {
    const PREFERRED = 1;
    const params = [param.int('numa_mode', PREFERRED), param.string('numa_nodeset', '0')];
    await connection.domain.setNumaParameters(guest, params, CONFIG);
    expect(await python(at.domain(guest), 'numaParameters', CONFIG)).toEqual({
      numa_mode: PREFERRED,
      numa_nodeset: '0',
    });
    await python(at.domain(guest), 'setNumaParameters', { numa_mode: 0 }, CONFIG);
  }),
  DOMAIN_GET_SCHEDULER_PARAMETERS_FLAGS: live(async ({ connection, python, guest }) => {
    const ours = await connection.domain.getSchedulerParametersFlags(guest, CONFIG);
    expect(Object.keys(ours)).toContain('cpu_shares');
    expect(ours).toEqual(await python(at.domain(guest), 'schedulerParametersFlags', CONFIG));
  }),
  DOMAIN_SET_SCHEDULER_PARAMETERS_FLAGS: live(async ({ connection, python, guest }) => {
    const params = [param.ullong('cpu_shares', 512), param.llong('vcpu_quota', -1)];
    await connection.domain.setSchedulerParametersFlags(guest, params, CONFIG);
    expect(await python(at.domain(guest), 'schedulerParametersFlags', CONFIG)).toMatchObject({
      cpu_shares: 512,
      vcpu_quota: -1,
    });
    const wrong = [param.int('cpu_shares', 1)];
    await expect(connection.domain.setSchedulerParametersFlags(guest, wrong, CONFIG)).rejects.toMatchObject({
      code: ErrorCode.INVALID_ARG,
    });
  }),

  DOMAIN_INTERFACE_STATS: live(async ({ connection, python, guest }) => {
    await settled(
      async () => Object.values(await connection.domain.interfaceStats(guest, GUEST_MAC)),
      () => python(at.domain(guest), 'interfaceStats', GUEST_MAC),
    );
    await sameRefusal(
      () => connection.domain.interfaceStats(guest, 'none'),
      () => python(at.domain(guest), 'interfaceStats', 'none'),
    );
  }),
  // Without a system the guest has no address: the test driver's has one.
  DOMAIN_INTERFACE_ADDRESSES: live((world) =>
    withTesting(
      world,
      async (domain) => {
        const ours = await world.testing.domain.interfaceAddresses(domain);
        expect(ours[0]?.addresses.length).toBeGreaterThan(0);
        const theirs = recordOf(await world.pythonTesting(at.domain(domain), 'interfaceAddresses', 0, 0));
        const asTheirs = ours.map(({ name, hwaddr, addresses }) => [
          name,
          { hwaddr, addrs: addresses.map(({ address, ...rest }) => ({ addr: address, ...rest })) },
        ]);
        expect(Object.fromEntries(asTheirs)).toEqual(theirs);
      },
      "<interface type='network'><source network='default'/><target dev='nlv0'/></interface>",
    ),
  ),

  DOMAIN_BLOCK_STATS: live(async ({ connection, python, guest }) => {
    await settled(
      async () => Object.values(await connection.domain.blockStats(guest, DISK)),
      () => python(at.domain(guest), 'blockStats', DISK),
    );
  }),
  DOMAIN_BLOCK_STATS_FLAGS: live(async ({ connection, python, guest }) => {
    expect(Object.keys(await connection.domain.blockStatsFlags(guest, DISK))).toContain('flush_operations');
    await settled(
      () => connection.domain.blockStatsFlags(guest, DISK),
      () => python(at.domain(guest), 'blockStatsFlags', DISK, 0),
    );
  }),
  DOMAIN_GET_BLOCK_INFO: live(async ({ connection, python, guest }) => {
    const { capacityBytes, allocationBytes, physicalBytes } = await connection.domain.getBlockInfo(guest, DISK);
    expect([capacityBytes, allocationBytes, physicalBytes]).toEqual(
      await python(at.domain(guest), 'blockInfo', DISK, 0),
    );
  }),
  DOMAIN_BLOCK_RESIZE: live(async ({ connection, python, guest }) => {
    const BYTES = 1;
    await connection.domain.blockResize(guest, DISK, 8 * MIB, BYTES);
    expect(listOf(await python(at.domain(guest), 'blockInfo', DISK, 0))[0]).toBe(8 * MIB);
    await connection.domain.blockResize(guest, DISK, 9 * 1024);
    expect(listOf(await python(at.domain(guest), 'blockInfo', DISK, 0))[0]).toBe(9 * MIB);
  }),
  DOMAIN_BLOCK_COPY: live((world) =>
    withCopy(world, async () => {
      const theirs = recordOf(await world.python(at.domain(world.guest), 'blockJobInfo', DISK, 0));
      expect(theirs['type']).toBe(DomainBlockJobType.COPY);
      await world.python(at.domain(world.guest), 'blockJobAbort', DISK, 0);
    }),
  ),
  DOMAIN_GET_BLOCK_JOB_INFO: live(async (world) => {
    const { connection, guest, python } = world;
    expect(await connection.domain.getBlockJobInfo(guest, DISK)).toBeNull();
    await withCopy(world, async () => {
      await settled(
        () => connection.domain.getBlockJobInfo(guest, DISK),
        () => python(at.domain(guest), 'blockJobInfo', DISK, 0),
      );
      await python(at.domain(guest), 'blockJobAbort', DISK, 0);
    });
  }),
  DOMAIN_BLOCK_JOB_ABORT: live((world) =>
    withCopy(world, async () => {
      const { connection, guest, python } = world;
      await connection.domain.blockJobAbort(guest, DISK);
      expect(await python(at.domain(guest), 'blockJobInfo', DISK, 0)).toEqual({});
      await sameRefusal(
        () => connection.domain.blockJobAbort(guest, DISK),
        () => python(at.domain(guest), 'blockJobAbort', DISK, 0),
      );
    }),
  ),
  DOMAIN_BLOCK_COMMIT: live(async (world) => {
    const { connection, guest, python } = world;
    const [overlay] = await withOverlay(world);
    const ACTIVE = 4;
    await connection.domain.blockCommit(guest, DISK, null, null, 0, ACTIVE);
    await jobReady(world);
    await connection.domain.blockJobAbort(guest, DISK, DomainBlockJobAbortFlags.PIVOT);
    expect(await python(at.domain(guest), 'XMLDesc', 0)).not.toContain(overlay);
  }),
  DOMAIN_BLOCK_REBASE: live(async (world) => {
    const { connection, guest, python } = world;
    const [overlay, base] = await withOverlay(world);
    const sourceOf = async () => String(await python(at.domain(guest), 'XMLDesc', 0));
    expect(await sourceOf()).toContain(base);
    await connection.domain.blockRebase(guest, DISK);
    // When all is pulled in, the overlay stands alone.
    await expect.poll(sourceOf, { timeout: 20_000 }).not.toContain(base);
    expect(await sourceOf()).toContain(overlay);
  }),
};

/** Begins to copy the disk and waits until the copy is a mirror; the check ends it. */
async function withCopy(world: World, check: () => Promise<void>): Promise<void> {
  const copy = diskPath(world, `copy-${randomUUID()}`);
  const xml = `<disk type='file'><driver type='raw'/><source file='${copy}'/></disk>`;
  const params = [param.uint('granularity', 65_536)];
  await world.connection.domain.blockCopy(world.guest, DISK, xml, params, DomainBlockCopyFlags.TRANSIENT_JOB);
  await jobReady(world);
  await check();
}

/** Puts an overlay on the disk; answers its path and that of what is now below. */
async function withOverlay(world: World): Promise<readonly [string, string]> {
  const overlay = diskPath(world, `overlay-${randomUUID()}`);
  const base = /<source file='([^']+)'/.exec(await world.connection.domain.getXMLDesc(world.guest))?.[1] ?? '';
  const { DISK_ONLY, NO_METADATA } = DomainSnapshotCreateFlags;
  const xml = `<domainsnapshot><disks><disk name='${DISK}'><source file='${overlay}'/></disk></disks></domainsnapshot>`;
  await world.python(at.domain(world.guest), 'snapshotCreateXML', xml, DISK_ONLY | NO_METADATA);
  return [overlay, base];
}

async function jobReady(world: World): Promise<void> {
  for (let attempt = 0; attempt < 400; attempt += 1) {
    const info = await world.connection.domain.getBlockJobInfo(world.guest, DISK);
    const xml = await world.connection.domain.getXMLDesc(world.guest);
    if (info !== null && info.cur === info.end && /<mirror [^>]*ready='yes'/.test(xml)) return;
    await sleep(25);
  }
  throw new Error('the job of the disk did not get ready');
}
