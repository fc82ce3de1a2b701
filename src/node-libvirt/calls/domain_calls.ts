// Written by `npm run generate -w node-libvirt` from the entries of procedures/. Do not edit.
// oxlint-disable max-lines
import type { Duplex, Readable } from 'node:stream';
import { Procedures } from '../procedures/index.ts';
import type { CallOptions } from '../session/pending_call.ts';
import type { Domain, DomainSnapshot } from '../wire/objects.ts';
import type { TypedParam, TypedParamRecord } from '../wire/typed_params.ts';
import type { Caller } from './caller.ts';
import {
  record,
  memoryStats,
  cpuStats,
  vcpus,
  cpuRows,
  blockJobInfo,
  jobStats,
  type DomainBlockJobInfo,
  type DomainJobStats,
  type DomainMemoryStats,
  type DomainVcpu,
} from './shapes.ts';

/** virDomainGetInfo */
export type DomainInfo = {
  /** See {@link DomainState}. */
  readonly state: number;
  readonly maxMemKib: number;
  readonly memoryKib: number;
  readonly nrVirtCpu: number;
  readonly cpuTimeNs: bigint;
};

/** virDomainGetState */
export type DomainStateAndReason = {
  /** See {@link DomainState}. */
  readonly state: number;
  /** See {@link DomainStateReason}. */
  readonly reason: number;
};

/** virDomainInterfaceStats */
export type DomainInterfaceStats = {
  readonly rxBytes: number;
  readonly rxPackets: number;
  readonly rxErrors: number;
  readonly rxDrops: number;
  readonly txBytes: number;
  readonly txPackets: number;
  readonly txErrors: number;
  readonly txDrops: number;
};

/** virDomainBlockStats */
export type DomainBlockStats = {
  readonly readRequests: number;
  readonly readBytes: number;
  readonly writeRequests: number;
  readonly writeBytes: number;
  readonly errors: number;
};

/** virDomainGetBlockInfo */
export type DomainBlockInfo = {
  readonly allocationBytes: number;
  readonly capacityBytes: number;
  readonly physicalBytes: number;
};

/** virDomainGetJobInfo */
export type DomainJobInfo = {
  /** See {@link DomainJobType}. */
  readonly type: number;
  readonly timeElapsedMs: number;
  readonly timeRemainingMs: number;
  readonly dataTotalBytes: number;
  readonly dataProcessedBytes: number;
  readonly dataRemainingBytes: number;
  readonly memTotalBytes: number;
  readonly memProcessedBytes: number;
  readonly memRemainingBytes: number;
  readonly fileTotalBytes: number;
  readonly fileProcessedBytes: number;
  readonly fileRemainingBytes: number;
};

/** Domains. */
export class DomainCalls {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /**
   * The domain with a uuid.
   * virDomainLookupByUUID, DOMAIN_LOOKUP_BY_UUID.
   * @throws {LibvirtError} NO_DOMAIN: there is none.
   */
  async lookupByUUID(uuid: string, options?: CallOptions): Promise<Domain> {
    const result = await this.#caller.call(Procedures.DOMAIN_LOOKUP_BY_UUID, { uuid }, options);
    return result.domain;
  }

  /**
   * The domain with a name.
   * virDomainLookupByName, DOMAIN_LOOKUP_BY_NAME.
   * @throws {LibvirtError} NO_DOMAIN: there is none.
   */
  async lookupByName(name: string, options?: CallOptions): Promise<Domain> {
    const result = await this.#caller.call(Procedures.DOMAIN_LOOKUP_BY_NAME, { name }, options);
    return result.domain;
  }

  /**
   * The running domain with an id.
   * virDomainLookupByID, DOMAIN_LOOKUP_BY_ID.
   * @throws {LibvirtError} NO_DOMAIN: none that runs has it.
   */
  async lookupByID(id: number, options?: CallOptions): Promise<Domain> {
    const result = await this.#caller.call(Procedures.DOMAIN_LOOKUP_BY_ID, { id }, options);
    return result.domain;
  }

  /**
   * Defines a persistent domain, or changes the definition of the one with this uuid. It does not start.
   * virDomainDefineXMLFlags, DOMAIN_DEFINE_XML_FLAGS.
   * @param flags See {@link DomainDefineFlags}.
   * @throws {LibvirtError} XML_DETAIL: what is not well-formed.
   * @throws {LibvirtError} XML_ERROR: what is no domain.
   * @throws {LibvirtError} XML_INVALID_SCHEMA: what VALIDATE finds to be none.
   * @throws {LibvirtError} CONFIG_UNSUPPORTED: what the hypervisor does not have.
   * @throws {LibvirtError} OPERATION_FAILED: a name that another uuid has.
   */
  async defineXMLFlags(xml: string, flags: number = 0, options?: CallOptions): Promise<Domain> {
    const result = await this.#caller.call(Procedures.DOMAIN_DEFINE_XML_FLAGS, { xml, flags }, options);
    return result.domain;
  }

  /**
   * Starts a transient domain: it is gone when the guest ends. Takes seconds.
   * virDomainCreateXML, DOMAIN_CREATE_XML.
   * @param flags See {@link DomainCreateFlags}.
   * @throws {LibvirtError} OPERATION_FAILED: a name that another uuid has.
   * @throws {LibvirtError} OPERATION_INVALID: it runs already.
   * @throws {LibvirtError} INTERNAL_ERROR: QEMU ended at once; the message quotes it.
   */
  async createXML(xml: string, flags: number = 0, options?: CallOptions): Promise<Domain> {
    const result = await this.#caller.call(Procedures.DOMAIN_CREATE_XML, { xml, flags }, options);
    return result.domain;
  }

  /**
   * Starts a defined domain and answers it with its new id. Takes seconds.
   * virDomainCreateWithFlags, DOMAIN_CREATE_WITH_FLAGS.
   * @param flags See {@link DomainCreateFlags}.
   * @throws {LibvirtError} OPERATION_INVALID: it runs already.
   * @throws {LibvirtError} INTERNAL_ERROR: QEMU ended at once; the message quotes it.
   */
  async createWithFlags(domain: Domain, flags: number = 0, options?: CallOptions): Promise<Domain> {
    const result = await this.#caller.call(Procedures.DOMAIN_CREATE_WITH_FLAGS, { domain, flags }, options);
    return result.domain;
  }

  /**
   * Ends the guest at once, as if unplugged. A transient domain is gone then.
   * virDomainDestroy, DOMAIN_DESTROY.
   * @throws {LibvirtError} OPERATION_INVALID: it does not run.
   */
  async destroy(domain: Domain, options?: CallOptions): Promise<void> {
    await this.#caller.call(Procedures.DOMAIN_DESTROY, { domain }, options);
  }

  /**
   * Ends the guest at once, as if unplugged. A transient domain is gone then.
   * virDomainDestroyFlags, DOMAIN_DESTROY_FLAGS.
   * @param flags See {@link DomainDestroyFlags}.
   * @throws {LibvirtError} OPERATION_INVALID: it does not run.
   * @throws {LibvirtError} SYSTEM_ERROR: with int1 16 (EBUSY): QEMU did not end within the time libvirt grants, so
   * repeat.
   */
  async destroyFlags(domain: Domain, flags: number = 0, options?: CallOptions): Promise<void> {
    await this.#caller.call(Procedures.DOMAIN_DESTROY_FLAGS, { domain, flags }, options);
  }

  /**
   * Removes the definition; a running domain becomes transient.
   * virDomainUndefineFlags, DOMAIN_UNDEFINE_FLAGS.
   * @param flags See {@link DomainUndefineFlags}.
   * @throws {LibvirtError} OPERATION_INVALID: it is transient, or it has a managed save image, snapshots or NVRAM
   * and flags do not say what of it.
   */
  async undefineFlags(domain: Domain, flags: number = 0, options?: CallOptions): Promise<void> {
    await this.#caller.call(Procedures.DOMAIN_UNDEFINE_FLAGS, { domain, flags }, options);
  }

  /**
   * Asks the guest to shut down and does not wait for it.
   * virDomainShutdownFlags, DOMAIN_SHUTDOWN_FLAGS.
   * @param flags See {@link DomainShutdownFlags}.
   * @throws {LibvirtError} OPERATION_INVALID: it does not run.
   * @throws {LibvirtError} AGENT_UNRESPONSIVE: GUEST_AGENT, and no agent answers.
   * @throws {LibvirtError} ARGUMENT_UNSUPPORTED: GUEST_AGENT, and the domain has no channel for it.
   */
  async shutdownFlags(domain: Domain, flags: number = 0, options?: CallOptions): Promise<void> {
    await this.#caller.call(Procedures.DOMAIN_SHUTDOWN_FLAGS, { domain, flags }, options);
  }

  /**
   * Asks the guest to reboot and does not wait for it.
   * virDomainReboot, DOMAIN_REBOOT.
   * @param flags See {@link DomainRebootFlags}.
   * @throws {LibvirtError} OPERATION_INVALID: it does not run.
   * @throws {LibvirtError} AGENT_UNRESPONSIVE: GUEST_AGENT, and no agent answers.
   * @throws {LibvirtError} ARGUMENT_UNSUPPORTED: GUEST_AGENT, and the domain has no channel for it.
   */
  async reboot(domain: Domain, flags: number = 0, options?: CallOptions): Promise<void> {
    await this.#caller.call(Procedures.DOMAIN_REBOOT, { domain, flags }, options);
  }

  /**
   * The reset button: the guest begins anew without shutting down.
   * virDomainReset, DOMAIN_RESET.
   * @throws {LibvirtError} OPERATION_INVALID: it does not run.
   */
  async reset(domain: Domain, flags: number = 0, options?: CallOptions): Promise<void> {
    await this.#caller.call(Procedures.DOMAIN_RESET, { domain, flags }, options);
  }

  /**
   * Stops the guest's CPUs and keeps its memory.
   * virDomainSuspend, DOMAIN_SUSPEND.
   * @throws {LibvirtError} OPERATION_INVALID: it does not run.
   */
  async suspend(domain: Domain, options?: CallOptions): Promise<void> {
    await this.#caller.call(Procedures.DOMAIN_SUSPEND, { domain }, options);
  }

  /**
   * Lets a suspended guest run on.
   * virDomainResume, DOMAIN_RESUME.
   * @throws {LibvirtError} OPERATION_INVALID: it does not run, or it does already.
   */
  async resume(domain: Domain, options?: CallOptions): Promise<void> {
    await this.#caller.call(Procedures.DOMAIN_RESUME, { domain }, options);
  }

  /**
   * The domain's XML; without INACTIVE that of the running guest.
   * virDomainGetXMLDesc, DOMAIN_GET_XML_DESC.
   * @param flags See {@link DomainXMLFlags}.
   */
  async getXMLDesc(domain: Domain, flags: number = 0, options?: CallOptions): Promise<string> {
    const result = await this.#caller.call(Procedures.DOMAIN_GET_XML_DESC, { domain, flags }, options);
    return result.xml;
  }

  /**
   * State, memory (`memoryKib` is what the balloon leaves the guest) and CPU time used.
   * virDomainGetInfo, DOMAIN_GET_INFO.
   */
  async getInfo(domain: Domain, options?: CallOptions): Promise<DomainInfo> {
    return this.#caller.call(Procedures.DOMAIN_GET_INFO, { domain }, options);
  }

  /**
   * State and how it came about; answered also while a job holds the domain.
   * virDomainGetState, DOMAIN_GET_STATE.
   */
  async getState(domain: Domain, flags: number = 0, options?: CallOptions): Promise<DomainStateAndReason> {
    return this.#caller.call(Procedures.DOMAIN_GET_STATE, { domain, flags }, options);
  }

  /**
   * Whether the domain runs (or is suspended).
   * virDomainIsActive, DOMAIN_IS_ACTIVE.
   */
  async isActive(domain: Domain, options?: CallOptions): Promise<boolean> {
    const result = await this.#caller.call(Procedures.DOMAIN_IS_ACTIVE, { domain }, options);
    return result.isActive;
  }

  /**
   * Whether the domain is defined, so that it outlives its guest.
   * virDomainIsPersistent, DOMAIN_IS_PERSISTENT.
   */
  async isPersistent(domain: Domain, options?: CallOptions): Promise<boolean> {
    const result = await this.#caller.call(Procedures.DOMAIN_IS_PERSISTENT, { domain }, options);
    return result.isPersistent;
  }

  /**
   * Whether the domain starts with the host.
   * virDomainGetAutostart, DOMAIN_GET_AUTOSTART.
   */
  async getAutostart(domain: Domain, options?: CallOptions): Promise<boolean> {
    const result = await this.#caller.call(Procedures.DOMAIN_GET_AUTOSTART, { domain }, options);
    return result.isAutostart;
  }

  /**
   * Whether the domain shall start with the host.
   * virDomainSetAutostart, DOMAIN_SET_AUTOSTART.
   * @throws {LibvirtError} OPERATION_INVALID: it is transient.
   */
  async setAutostart(domain: Domain, autostart: boolean, options?: CallOptions): Promise<void> {
    await this.#caller.call(Procedures.DOMAIN_SET_AUTOSTART, { domain, autostart }, options);
  }

  /**
   * Title, description or an XML element of the user's; null removes it. For an element `uri` is its namespace and
   * `key` the prefix that libvirt gives its root: the XML must not declare that prefix itself.
   * virDomainSetMetadata, DOMAIN_SET_METADATA.
   * @param type See {@link DomainMetadataType}.
   * @param flags See {@link DomainModificationImpact}.
   * @throws {LibvirtError} OPERATION_INVALID: LIVE, and it does not run.
   */
  async setMetadata(
    domain: Domain,
    type: number,
    metadata: string | null = null,
    key: string | null = null,
    uri: string | null = null,
    flags: number = 0,
    options?: CallOptions,
  ): Promise<void> {
    await this.#caller.call(Procedures.DOMAIN_SET_METADATA, { domain, type, metadata, key, uri, flags }, options);
  }

  /**
   * Title, description or the XML element of a namespace (`uri`); the element's root has no prefix.
   * virDomainGetMetadata, DOMAIN_GET_METADATA.
   * @param type See {@link DomainMetadataType}.
   * @param flags See {@link DomainModificationImpact}.
   * @throws {LibvirtError} NO_DOMAIN_METADATA: there is none.
   */
  async getMetadata(
    domain: Domain,
    type: number,
    uri: string | null = null,
    flags: number = 0,
    options?: CallOptions,
  ): Promise<string> {
    const result = await this.#caller.call(Procedures.DOMAIN_GET_METADATA, { domain, type, uri, flags }, options);
    return result.metadata;
  }

  /**
   * Writes the guest's memory to disk and ends it; the next start goes on from there. Takes as long as writing does.
   * virDomainManagedSave, DOMAIN_MANAGED_SAVE.
   * @param flags See {@link DomainSaveRestoreFlags}.
   * @throws {LibvirtError} OPERATION_INVALID: it does not run or is transient.
   * @throws {LibvirtError} OPERATION_ABORTED: somebody aborted the job.
   */
  async managedSave(domain: Domain, flags: number = 0, options?: CallOptions): Promise<void> {
    await this.#caller.call(Procedures.DOMAIN_MANAGED_SAVE, { domain, flags }, options);
  }

  /**
   * Whether the next start goes on from a managed save.
   * virDomainHasManagedSaveImage, DOMAIN_HAS_MANAGED_SAVE_IMAGE.
   */
  async hasManagedSaveImage(domain: Domain, flags: number = 0, options?: CallOptions): Promise<boolean> {
    const result = await this.#caller.call(Procedures.DOMAIN_HAS_MANAGED_SAVE_IMAGE, { domain, flags }, options);
    return result.hasImage;
  }

  /**
   * Throws a managed save image away, if there is one.
   * virDomainManagedSaveRemove, DOMAIN_MANAGED_SAVE_REMOVE.
   */
  async managedSaveRemove(domain: Domain, flags: number = 0, options?: CallOptions): Promise<void> {
    await this.#caller.call(Procedures.DOMAIN_MANAGED_SAVE_REMOVE, { domain, flags }, options);
  }

  /**
   * Writes the guest's memory to a file of the host and ends it. Strings: `file` (path), `dxml` (XML to restore
   * with).
   * virDomainSaveParams, DOMAIN_SAVE_PARAMS, libvirt 8.4.0 or later.
   * @param flags See {@link DomainSaveRestoreFlags}.
   * @throws {LibvirtError} OPERATION_INVALID: it does not run.
   * @throws {LibvirtError} OPERATION_ABORTED: somebody aborted the job.
   */
  async saveParams(
    domain: Domain,
    params: readonly TypedParam[],
    flags: number = 0,
    options?: CallOptions,
  ): Promise<void> {
    await this.#caller.call(Procedures.DOMAIN_SAVE_PARAMS, { domain, params, flags }, options);
  }

  /**
   * Starts the guest that saveParams wrote to a file. Strings: `file` (path), `dxml` (XML to use instead).
   * virDomainRestoreParams, DOMAIN_RESTORE_PARAMS, libvirt 8.4.0 or later.
   * @param flags See {@link DomainSaveRestoreFlags}.
   * @throws {LibvirtError} OPERATION_FAILED: the file is no saved guest.
   * @throws {LibvirtError} OPERATION_INVALID: the domain runs already.
   */
  async restoreParams(params: readonly TypedParam[], flags: number = 0, options?: CallOptions): Promise<void> {
    await this.#caller.call(Procedures.DOMAIN_RESTORE_PARAMS, { params, flags }, options);
  }

  /**
   * The measurement of an encrypted guest's memory at launch, by libvirt's names, e.g. `sev-measurement`.
   * virDomainGetLaunchSecurityInfo, DOMAIN_GET_LAUNCH_SECURITY_INFO.
   */
  async getLaunchSecurityInfo(domain: Domain, flags: number = 0, options?: CallOptions): Promise<TypedParamRecord> {
    const result = await this.#caller.call(Procedures.DOMAIN_GET_LAUNCH_SECURITY_INFO, { domain, flags }, options);
    return record(result);
  }

  /**
   * Puts a secret into the memory of an encrypted guest that has not begun to run. Strings: `sev-secret`,
   * `sev-secret-header`.
   * virDomainSetLaunchSecurityState, DOMAIN_SET_LAUNCH_SECURITY_STATE, libvirt 8.0.0 or later.
   * @throws {LibvirtError} OPERATION_UNSUPPORTED: the guest has no launch security.
   */
  async setLaunchSecurityState(
    domain: Domain,
    params: readonly TypedParam[],
    flags: number = 0,
    options?: CallOptions,
  ): Promise<void> {
    await this.#caller.call(Procedures.DOMAIN_SET_LAUNCH_SECURITY_STATE, { domain, params, flags }, options);
  }

  /**
   * What libvirt has to say against the domain: tainting configuration and use of what is deprecated.
   * virDomainGetMessages, DOMAIN_GET_MESSAGES, libvirt 7.1.0 or later.
   * @param flags See {@link DomainMessageType}.
   */
  async getMessages(domain: Domain, flags: number = 0, options?: CallOptions): Promise<readonly string[]> {
    const result = await this.#caller.call(Procedures.DOMAIN_GET_MESSAGES, { domain, flags }, options);
    return result.messages;
  }

  /**
   * The domain's snapshots, all of them where flags are 0.
   * virDomainListAllSnapshots, DOMAIN_LIST_ALL_SNAPSHOTS.
   * @param flags See {@link DomainSnapshotListFlags}.
   */
  async listAllSnapshots(domain: Domain, flags: number = 0, options?: CallOptions): Promise<readonly DomainSnapshot[]> {
    const result = await this.#caller.call(Procedures.DOMAIN_LIST_ALL_SNAPSHOTS, { domain, flags }, options);
    return result.snapshots;
  }

  /**
   * Puts the domain back to where it was: its disks, its definition and whether it runs. What came since is lost.
   * virDomainRevertToSnapshot, DOMAIN_REVERT_TO_SNAPSHOT.
   * @param flags See {@link DomainSnapshotRevertFlags}.
   * @throws {LibvirtError} NO_DOMAIN_SNAPSHOT: there is no such snapshot.
   * @throws {LibvirtError} SNAPSHOT_REVERT_RISKY: the guest would have to be ended for it, without FORCE.
   */
  async revertToSnapshot(snapshot: DomainSnapshot, flags: number = 0, options?: CallOptions): Promise<void> {
    await this.#caller.call(Procedures.DOMAIN_REVERT_TO_SNAPSHOT, { snapshot, flags }, options);
  }

  /**
   * Memory as the host and the guest's balloon driver see it: KiB, but for counts (major_fault, minor_fault,
   * hugetlb_pgalloc, hugetlb_pgfail) and last_update (seconds since 1970). What the guest does not tell is absent.
   * virDomainMemoryStats, DOMAIN_MEMORY_STATS.
   * @throws {LibvirtError} OPERATION_INVALID: it does not run.
   */
  async memoryStats(domain: Domain, flags: number = 0, options?: CallOptions): Promise<DomainMemoryStats> {
    const result = await this.#caller.call(Procedures.DOMAIN_MEMORY_STATS, { domain, flags }, options);
    return memoryStats(result);
  }

  /**
   * How often QEMU asks the guest's balloon driver; 0 is never.
   * virDomainSetMemoryStatsPeriod, DOMAIN_SET_MEMORY_STATS_PERIOD.
   * @param flags See {@link DomainMemoryModFlags}.
   * @throws {LibvirtError} OPERATION_INVALID: it does not run, or has no balloon.
   */
  async setMemoryStatsPeriod(
    domain: Domain,
    periodSeconds: number,
    flags: number = 0,
    options?: CallOptions,
  ): Promise<void> {
    await this.#caller.call(Procedures.DOMAIN_SET_MEMORY_STATS_PERIOD, { domain, periodSeconds, flags }, options);
  }

  /**
   * Memory the guest shall have: its balloon is asked and this does not wait for it. With MAXIMUM its upper bound.
   * virDomainSetMemoryFlags, DOMAIN_SET_MEMORY_FLAGS.
   * @param flags See {@link DomainMemoryModFlags}.
   * @throws {LibvirtError} INVALID_ARG: more than the maximum.
   * @throws {LibvirtError} OPERATION_INVALID: MAXIMUM while it runs, or LIVE while not.
   */
  async setMemoryFlags(domain: Domain, memoryKib: number, flags: number = 0, options?: CallOptions): Promise<void> {
    await this.#caller.call(Procedures.DOMAIN_SET_MEMORY_FLAGS, { domain, memoryKib, flags }, options);
  }

  /**
   * The upper bound of the guest's memory, in KiB.
   * virDomainGetMaxMemory, DOMAIN_GET_MAX_MEMORY.
   */
  async getMaxMemory(domain: Domain, options?: CallOptions): Promise<number> {
    const result = await this.#caller.call(Procedures.DOMAIN_GET_MAX_MEMORY, { domain }, options);
    return result.memoryKib;
  }

  /**
   * CPU time in nanoseconds: with startCpu -1 and cpuCount 1 one row of totals (cpu_time, user_time, system_time),
   * else a row per host CPU from startCpu on, at most 128 at once; node.getCPUMap tells how many there are.
   * virDomainGetCPUStats, DOMAIN_GET_CPU_STATS.
   * @throws {LibvirtError} OPERATION_INVALID: it does not run, or the host has no cpuacct.
   * @throws {LibvirtError} INVALID_ARG: no CPU, or one that does not exist.
   */
  async getCPUStats(
    domain: Domain,
    startCpu: number,
    cpuCount: number,
    flags: number = 0,
    options?: CallOptions,
  ): Promise<TypedParamRecord[]> {
    const result = await this.#caller.call(
      Procedures.DOMAIN_GET_CPU_STATS,
      { domain, startCpu, cpuCount, flags },
      options,
    );
    return cpuStats(result);
  }

  /**
   * The first maxVcpus virtual CPUs: state, time used, the host CPU each is on, and those where it may be.
   * virDomainGetVcpus, DOMAIN_GET_VCPUS.
   * @throws {LibvirtError} OPERATION_INVALID: it does not run.
   */
  async getVcpus(
    domain: Domain,
    maxVcpus: number,
    hostCpus: number = 2048,
    options?: CallOptions,
  ): Promise<DomainVcpu[]> {
    const args = { domain, maxVcpus, hostCpus };
    const result = await this.#caller.call(Procedures.DOMAIN_GET_VCPUS, args, options);
    return vcpus(result, args);
  }

  /**
   * How many virtual CPUs; with MAXIMUM how many there can be.
   * virDomainGetVcpusFlags, DOMAIN_GET_VCPUS_FLAGS.
   * @param flags See {@link DomainVcpuFlags}.
   * @throws {LibvirtError} OPERATION_INVALID: LIVE, and it does not run.
   */
  async getVcpusFlags(domain: Domain, flags: number = 0, options?: CallOptions): Promise<number> {
    const result = await this.#caller.call(Procedures.DOMAIN_GET_VCPUS_FLAGS, { domain, flags }, options);
    return result.count;
  }

  /**
   * Plugs or unplugs virtual CPUs, up to the maximum; with MAXIMUM and CONFIG sets that.
   * virDomainSetVcpusFlags, DOMAIN_SET_VCPUS_FLAGS.
   * @param flags See {@link DomainVcpuFlags}.
   * @throws {LibvirtError} INVALID_ARG: more than the maximum.
   */
  async setVcpusFlags(domain: Domain, count: number, flags: number = 0, options?: CallOptions): Promise<void> {
    await this.#caller.call(Procedures.DOMAIN_SET_VCPUS_FLAGS, { domain, count, flags }, options);
  }

  /**
   * The host CPUs that a virtual CPU may run on.
   * virDomainPinVcpuFlags, DOMAIN_PIN_VCPU_FLAGS.
   * @param flags See {@link DomainModificationImpact}.
   * @throws {LibvirtError} INVALID_ARG: no CPU, or a virtual CPU that does not exist.
   */
  async pinVcpuFlags(
    domain: Domain,
    vcpu: number,
    cpus: readonly number[],
    flags: number = 0,
    options?: CallOptions,
  ): Promise<void> {
    await this.#caller.call(Procedures.DOMAIN_PIN_VCPU_FLAGS, { domain, vcpu, cpus, flags }, options);
  }

  /**
   * The host CPUs that the first maxVcpus virtual CPUs may run on: a row per virtual CPU.
   * virDomainGetVcpuPinInfo, DOMAIN_GET_VCPU_PIN_INFO.
   * @param flags See {@link DomainModificationImpact}.
   */
  async getVcpuPinInfo(
    domain: Domain,
    maxVcpus: number,
    hostCpus: number = 2048,
    flags: number = 0,
    options?: CallOptions,
  ): Promise<number[][]> {
    const args = { domain, maxVcpus, hostCpus, flags };
    const result = await this.#caller.call(Procedures.DOMAIN_GET_VCPU_PIN_INFO, args, options);
    return cpuRows(result, args);
  }

  /**
   * The host CPUs that QEMU's own threads may run on.
   * virDomainPinEmulator, DOMAIN_PIN_EMULATOR.
   * @param flags See {@link DomainModificationImpact}.
   * @throws {LibvirtError} INVALID_ARG: no CPU.
   */
  async pinEmulator(domain: Domain, cpus: readonly number[], flags: number = 0, options?: CallOptions): Promise<void> {
    await this.#caller.call(Procedures.DOMAIN_PIN_EMULATOR, { domain, cpus, flags }, options);
  }

  /**
   * The host CPUs that QEMU's own threads may run on.
   * virDomainGetEmulatorPinInfo, DOMAIN_GET_EMULATOR_PIN_INFO.
   * @param flags See {@link DomainModificationImpact}.
   */
  async getEmulatorPinInfo(
    domain: Domain,
    hostCpus: number = 2048,
    flags: number = 0,
    options?: CallOptions,
  ): Promise<readonly number[]> {
    const result = await this.#caller.call(
      Procedures.DOMAIN_GET_EMULATOR_PIN_INFO,
      { domain, hostCpus, flags },
      options,
    );
    return result.cpus;
  }

  /**
   * Where memory may come from: numa_mode (see DomainNumatuneMemMode) and numa_nodeset, e.g. «0-1».
   * virDomainGetNumaParameters, DOMAIN_GET_NUMA_PARAMETERS.
   * @param flags See {@link DomainModificationImpact}.
   * @throws {LibvirtError} OPERATION_INVALID: the host has no cpuset cgroup, or LIVE and it does not run.
   */
  async getNumaParameters(domain: Domain, flags: number = 0, options?: CallOptions): Promise<TypedParamRecord> {
    const result = await this.#caller.call(Procedures.DOMAIN_GET_NUMA_PARAMETERS, { domain, flags }, options);
    return record(result);
  }

  /**
   * Where memory shall come from: numa_mode (int) and numa_nodeset (string). The mode of a running guest is fixed.
   * virDomainSetNumaParameters, DOMAIN_SET_NUMA_PARAMETERS.
   * @param flags See {@link DomainModificationImpact}.
   * @throws {LibvirtError} OPERATION_INVALID: the host has no cpuset cgroup, or LIVE and it does not run.
   * @throws {LibvirtError} ARGUMENT_UNSUPPORTED: a parameter it does not know.
   */
  async setNumaParameters(
    domain: Domain,
    params: readonly TypedParam[],
    flags: number = 0,
    options?: CallOptions,
  ): Promise<void> {
    await this.#caller.call(Procedures.DOMAIN_SET_NUMA_PARAMETERS, { domain, params, flags }, options);
  }

  /**
   * Shares, periods and quotas (microseconds) of CPU time, e.g. cpu_shares, vcpu_period, vcpu_quota.
   * virDomainGetSchedulerParametersFlags, DOMAIN_GET_SCHEDULER_PARAMETERS_FLAGS.
   * @param flags See {@link DomainModificationImpact}.
   * @throws {LibvirtError} OPERATION_INVALID: the host has no cpu cgroup, or LIVE and it does not run.
   */
  async getSchedulerParametersFlags(
    domain: Domain,
    flags: number = 0,
    options?: CallOptions,
  ): Promise<TypedParamRecord> {
    const result = await this.#caller.call(
      Procedures.DOMAIN_GET_SCHEDULER_PARAMETERS_FLAGS,
      { domain, flags },
      options,
    );
    return record(result);
  }

  /**
   * Shares (ullong), periods (ullong) and quotas (llong) of CPU time; those not given stay.
   * virDomainSetSchedulerParametersFlags, DOMAIN_SET_SCHEDULER_PARAMETERS_FLAGS.
   * @param flags See {@link DomainModificationImpact}.
   * @throws {LibvirtError} ARGUMENT_UNSUPPORTED: a parameter it does not know.
   * @throws {LibvirtError} OPERATION_INVALID: the host has no cpu cgroup.
   */
  async setSchedulerParametersFlags(
    domain: Domain,
    params: readonly TypedParam[],
    flags: number = 0,
    options?: CallOptions,
  ): Promise<void> {
    await this.#caller.call(Procedures.DOMAIN_SET_SCHEDULER_PARAMETERS_FLAGS, { domain, params, flags }, options);
  }

  /**
   * What an interface (its name on the host or its MAC) carried since it is there, as the guest sees it; -1 is
   * unknown.
   * virDomainInterfaceStats, DOMAIN_INTERFACE_STATS.
   * @throws {LibvirtError} INVALID_ARG: the domain has no such interface.
   * @throws {LibvirtError} OPERATION_INVALID: it does not run.
   */
  async interfaceStats(domain: Domain, device: string, options?: CallOptions): Promise<DomainInterfaceStats> {
    return this.#caller.call(Procedures.DOMAIN_INTERFACE_STATS, { domain, device }, options);
  }

  /**
   * The guest's interfaces and addresses, from the DHCP leases (0), the guest's agent (1) or the ARP table (2).
   * virDomainInterfaceAddresses, DOMAIN_INTERFACE_ADDRESSES.
   * @param source See {@link DomainInterfaceAddressesSource}.
   * @throws {LibvirtError} OPERATION_INVALID: it does not run.
   * @throws {LibvirtError} AGENT_UNRESPONSIVE: AGENT, and no agent answers.
   * @throws {LibvirtError} ARGUMENT_UNSUPPORTED: AGENT, and the domain has no channel for it.
   */
  async interfaceAddresses(
    domain: Domain,
    source: number = 0,
    flags: number = 0,
    options?: CallOptions,
  ): Promise<
    readonly {
      readonly name: string;
      readonly hwaddr: string | null;
      readonly addresses: readonly { readonly type: number; readonly address: string; readonly prefix: number }[];
    }[]
  > {
    const result = await this.#caller.call(Procedures.DOMAIN_INTERFACE_ADDRESSES, { domain, source, flags }, options);
    return result.interfaces;
  }

  /**
   * What a disk (its target, e.g. «vda», or its path; empty: all together) carried since the start; -1 is unknown.
   * virDomainBlockStats, DOMAIN_BLOCK_STATS.
   * @throws {LibvirtError} INVALID_ARG: the domain has no such disk.
   * @throws {LibvirtError} OPERATION_INVALID: it does not run.
   */
  async blockStats(domain: Domain, disk: string, options?: CallOptions): Promise<DomainBlockStats> {
    return this.#caller.call(Procedures.DOMAIN_BLOCK_STATS, { domain, disk }, options);
  }

  /**
   * As blockStats, with flushes and times in nanoseconds, by libvirt's names, e.g. `rd_total_times`.
   * virDomainBlockStatsFlags, DOMAIN_BLOCK_STATS_FLAGS.
   * @throws {LibvirtError} INVALID_ARG: the domain has no such disk.
   * @throws {LibvirtError} OPERATION_INVALID: it does not run.
   */
  async blockStatsFlags(
    domain: Domain,
    disk: string,
    flags: number = 0,
    options?: CallOptions,
  ): Promise<TypedParamRecord> {
    const result = await this.#caller.call(Procedures.DOMAIN_BLOCK_STATS_FLAGS, { domain, disk, flags }, options);
    return record(result);
  }

  /**
   * Size of a disk (target or path): as the guest sees it, what of it has data, and where the file ends.
   * virDomainGetBlockInfo, DOMAIN_GET_BLOCK_INFO.
   * @throws {LibvirtError} INVALID_ARG: the domain has no such disk.
   */
  async getBlockInfo(domain: Domain, disk: string, flags: number = 0, options?: CallOptions): Promise<DomainBlockInfo> {
    return this.#caller.call(Procedures.DOMAIN_GET_BLOCK_INFO, { domain, disk, flags }, options);
  }

  /**
   * A new size for the disk of a running guest: in KiB, with BYTES in bytes. Shrinking destroys data.
   * virDomainBlockResize, DOMAIN_BLOCK_RESIZE.
   * @param flags See {@link DomainBlockResizeFlags}.
   * @throws {LibvirtError} INVALID_ARG: the domain has no such disk.
   * @throws {LibvirtError} OPERATION_INVALID: it does not run.
   */
  async blockResize(
    domain: Domain,
    disk: string,
    size: number,
    flags: number = 0,
    options?: CallOptions,
  ): Promise<void> {
    await this.#caller.call(Procedures.DOMAIN_BLOCK_RESIZE, { domain, disk, size, flags }, options);
  }

  /**
   * How far the job of a disk is; null where it has none.
   * virDomainGetBlockJobInfo, DOMAIN_GET_BLOCK_JOB_INFO.
   * @param flags See {@link DomainBlockJobInfoFlags}.
   * @throws {LibvirtError} INVALID_ARG: the domain has no such disk.
   * @throws {LibvirtError} OPERATION_INVALID: it does not run.
   */
  async getBlockJobInfo(
    domain: Domain,
    disk: string,
    flags: number = 0,
    options?: CallOptions,
  ): Promise<DomainBlockJobInfo | null> {
    const result = await this.#caller.call(Procedures.DOMAIN_GET_BLOCK_JOB_INFO, { domain, disk, flags }, options);
    return blockJobInfo(result);
  }

  /**
   * Ends the job of a disk; with PIVOT the guest goes on with the copy. Waits for the end unless ASYNC.
   * virDomainBlockJobAbort, DOMAIN_BLOCK_JOB_ABORT.
   * @param flags See {@link DomainBlockJobAbortFlags}.
   * @throws {LibvirtError} INVALID_ARG: the domain has no such disk, or the disk has no job.
   * @throws {LibvirtError} OPERATION_INVALID: it does not run.
   */
  async blockJobAbort(domain: Domain, disk: string, flags: number = 0, options?: CallOptions): Promise<void> {
    await this.#caller.call(Procedures.DOMAIN_BLOCK_JOB_ABORT, { domain, disk, flags }, options);
  }

  /**
   * Begins to copy a disk to what a <disk> describes, and mirrors it from then on until blockJobAbort. Parameters:
   * bandwidth (ullong, bytes/s), granularity (uint, bytes), buf-size (ullong, bytes).
   * virDomainBlockCopy, DOMAIN_BLOCK_COPY.
   * @param flags See {@link DomainBlockCopyFlags}.
   * @throws {LibvirtError} BLOCK_COPY_ACTIVE: the disk has a job.
   * @throws {LibvirtError} OPERATION_INVALID: it does not run.
   */
  async blockCopy(
    domain: Domain,
    disk: string,
    destXml: string,
    params: readonly TypedParam[] = [],
    flags: number = 0,
    options?: CallOptions,
  ): Promise<void> {
    await this.#caller.call(Procedures.DOMAIN_BLOCK_COPY, { domain, disk, destXml, params, flags }, options);
  }

  /**
   * Begins to merge overlays down into their backing file. Null is the whole chain (top: the active image, which
   * needs ACTIVE). Bandwidth in MiB/s, 0 is no limit.
   * virDomainBlockCommit, DOMAIN_BLOCK_COMMIT.
   * @param flags See {@link DomainBlockCommitFlags}.
   * @throws {LibvirtError} INVALID_ARG: a file that is not in the chain.
   * @throws {LibvirtError} BLOCK_COPY_ACTIVE: the disk has a job.
   */
  async blockCommit(
    domain: Domain,
    disk: string,
    base: string | null = null,
    top: string | null = null,
    bandwidth: number = 0,
    flags: number = 0,
    options?: CallOptions,
  ): Promise<void> {
    await this.#caller.call(Procedures.DOMAIN_BLOCK_COMMIT, { domain, disk, base, top, bandwidth, flags }, options);
  }

  /**
   * Begins to pull data of the backing files into the disk, down to `base` (null: all). Bandwidth in MiB/s, 0: no
   * limit.
   * virDomainBlockRebase, DOMAIN_BLOCK_REBASE.
   * @param flags See {@link DomainBlockRebaseFlags}.
   * @throws {LibvirtError} INVALID_ARG: a file that is not in the chain.
   * @throws {LibvirtError} BLOCK_COPY_ACTIVE: the disk has a job.
   */
  async blockRebase(
    domain: Domain,
    disk: string,
    base: string | null = null,
    bandwidth: number = 0,
    flags: number = 0,
    options?: CallOptions,
  ): Promise<void> {
    await this.#caller.call(Procedures.DOMAIN_BLOCK_REBASE, { domain, disk, base, bandwidth, flags }, options);
  }

  /**
   * Plugs in a device: to the running guest (LIVE), the definition (CONFIG) or both.
   * virDomainAttachDeviceFlags, DOMAIN_ATTACH_DEVICE_FLAGS.
   * @param flags See {@link DomainDeviceModifyFlags}.
   * @throws {LibvirtError} CONFIG_UNSUPPORTED: a device that cannot be plugged.
   * @throws {LibvirtError} XML_ERROR: a place that is taken.
   * @throws {LibvirtError} OPERATION_INVALID: LIVE, and it does not run.
   */
  async attachDeviceFlags(domain: Domain, xml: string, flags: number = 0, options?: CallOptions): Promise<void> {
    await this.#caller.call(Procedures.DOMAIN_ATTACH_DEVICE_FLAGS, { domain, xml, flags }, options);
  }

  /**
   * Asks the guest to let go of a device: it is gone when the deviceRemoved event comes, or at once from CONFIG.
   * virDomainDetachDeviceFlags, DOMAIN_DETACH_DEVICE_FLAGS.
   * @param flags See {@link DomainDeviceModifyFlags}.
   * @throws {LibvirtError} DEVICE_MISSING: there is no such device.
   */
  async detachDeviceFlags(domain: Domain, xml: string, flags: number = 0, options?: CallOptions): Promise<void> {
    await this.#caller.call(Procedures.DOMAIN_DETACH_DEVICE_FLAGS, { domain, xml, flags }, options);
  }

  /**
   * Changes what can be changed of a device: a medium, a link, a password.
   * virDomainUpdateDeviceFlags, DOMAIN_UPDATE_DEVICE_FLAGS.
   * @param flags See {@link DomainDeviceModifyFlags}.
   * @throws {LibvirtError} OPERATION_UNSUPPORTED: it cannot be changed.
   * @throws {LibvirtError} INVALID_ARG: there is no such device.
   */
  async updateDeviceFlags(domain: Domain, xml: string, flags: number = 0, options?: CallOptions): Promise<void> {
    await this.#caller.call(Procedures.DOMAIN_UPDATE_DEVICE_FLAGS, { domain, xml, flags }, options);
  }

  /**
   * As detachDeviceFlags, by the alias. It is gone when the deviceRemoved event comes.
   * virDomainDetachDeviceAlias, DOMAIN_DETACH_DEVICE_ALIAS.
   * @param flags See {@link DomainDeviceModifyFlags}.
   * @throws {LibvirtError} INTERNAL_ERROR: there is no such device.
   */
  async detachDeviceAlias(domain: Domain, alias: string, flags: number = 0, options?: CallOptions): Promise<void> {
    await this.#caller.call(Procedures.DOMAIN_DETACH_DEVICE_ALIAS, { domain, alias, flags }, options);
  }

  /**
   * How far the save, dump or migration under way is; type 0 where there is none.
   * virDomainGetJobInfo, DOMAIN_GET_JOB_INFO.
   */
  async getJobInfo(domain: Domain, options?: CallOptions): Promise<DomainJobInfo> {
    return this.#caller.call(Procedures.DOMAIN_GET_JOB_INFO, { domain }, options);
  }

  /**
   * As getJobInfo, with all that the hypervisor tells, by libvirt's names. COMPLETED asks for the last job, once.
   * virDomainGetJobStats, DOMAIN_GET_JOB_STATS.
   * @param flags See {@link DomainGetJobStatsFlags}.
   */
  async getJobStats(domain: Domain, flags: number = 0, options?: CallOptions): Promise<DomainJobStats> {
    const result = await this.#caller.call(Procedures.DOMAIN_GET_JOB_STATS, { domain, flags }, options);
    return jobStats(result);
  }

  /**
   * Aborts the save, dump or migration under way; whoever began it gets OPERATION_ABORTED.
   * virDomainAbortJob, DOMAIN_ABORT_JOB.
   * @throws {LibvirtError} OPERATION_INVALID: there is none.
   */
  async abortJob(domain: Domain, options?: CallOptions): Promise<void> {
    await this.#caller.call(Procedures.DOMAIN_ABORT_JOB, { domain }, options);
  }

  /**
   * As abortJob; with POSTCOPY also a post-copy migration, which then waits to be resumed.
   * virDomainAbortJobFlags, DOMAIN_ABORT_JOB_FLAGS, libvirt 8.5.0 or later.
   * @param flags See {@link DomainAbortJobFlags}.
   * @throws {LibvirtError} OPERATION_INVALID: there is none.
   */
  async abortJobFlags(domain: Domain, flags: number = 0, options?: CallOptions): Promise<void> {
    await this.#caller.call(Procedures.DOMAIN_ABORT_JOB_FLAGS, { domain, flags }, options);
  }

  /**
   * The console: what the guest writes and what is typed. `device` is an alias as in the XML; null is the first.
   * virDomainOpenConsole, DOMAIN_OPEN_CONSOLE.
   * @param flags See {@link DomainConsoleFlags}.
   * @throws {LibvirtError} OPERATION_FAILED: somebody has the console and FORCE was not given.
   */
  async openConsole(
    domain: Domain,
    device: string | null = null,
    flags: number = 0,
    options?: CallOptions,
  ): Promise<Duplex> {
    const result = await this.#caller.openStream(Procedures.DOMAIN_OPEN_CONSOLE, { domain, device, flags }, options);
    return result.stream;
  }

  /**
   * A picture of the screen, with its type, e.g. «image/png».
   * virDomainScreenshot, DOMAIN_SCREENSHOT.
   */
  async screenshot(
    domain: Domain,
    screen: number = 0,
    flags: number = 0,
    options?: CallOptions,
  ): Promise<{ readonly mime: string | null; readonly stream: Readable }> {
    const result = await this.#caller.openStream(Procedures.DOMAIN_SCREENSHOT, { domain, screen, flags }, options);
    return { ...result.result, stream: result.stream };
  }

  /**
   * Presses up to 16 keys together and lets them go after the hold time.
   * virDomainSendKey, DOMAIN_SEND_KEY.
   * @param codeset See {@link KeycodeSet}.
   * @throws {LibvirtError} OPERATION_INVALID: it does not run.
   */
  async sendKey(
    domain: Domain,
    codeset: number,
    holdtimeMs: number,
    keycodes: readonly number[],
    flags: number = 0,
    options?: CallOptions,
  ): Promise<void> {
    await this.#caller.call(Procedures.DOMAIN_SEND_KEY, { domain, codeset, holdtimeMs, keycodes, flags }, options);
  }

  /**
   * A non-maskable interrupt for the guest, which most take as an order to dump.
   * virDomainInjectNMI, DOMAIN_INJECT_NMI.
   * @throws {LibvirtError} OPERATION_INVALID: it does not run.
   */
  async injectNMI(domain: Domain, flags: number = 0, options?: CallOptions): Promise<void> {
    await this.#caller.call(Procedures.DOMAIN_INJECT_NMI, { domain, flags }, options);
  }

  /**
   * Has the guest's agent freeze file systems (none given: all) and answers how many. Thaw them soon.
   * virDomainFSFreeze, DOMAIN_FSFREEZE.
   * @throws {LibvirtError} AGENT_UNRESPONSIVE: no agent answers.
   * @throws {LibvirtError} ARGUMENT_UNSUPPORTED: the domain has no channel for it.
   * @throws {LibvirtError} OPERATION_INVALID: it does not run.
   */
  async fsFreeze(
    domain: Domain,
    mountpoints: readonly string[] = [],
    flags: number = 0,
    options?: CallOptions,
  ): Promise<number> {
    const result = await this.#caller.call(Procedures.DOMAIN_FSFREEZE, { domain, mountpoints, flags }, options);
    return result.filesystems;
  }

  /**
   * Has the guest's agent thaw file systems (none given: all) and answers how many.
   * virDomainFSThaw, DOMAIN_FSTHAW.
   * @throws {LibvirtError} AGENT_UNRESPONSIVE: no agent answers.
   * @throws {LibvirtError} ARGUMENT_UNSUPPORTED: the domain has no channel for it.
   * @throws {LibvirtError} OPERATION_INVALID: it does not run.
   */
  async fsThaw(
    domain: Domain,
    mountpoints: readonly string[] = [],
    flags: number = 0,
    options?: CallOptions,
  ): Promise<number> {
    const result = await this.#caller.call(Procedures.DOMAIN_FSTHAW, { domain, mountpoints, flags }, options);
    return result.filesystems;
  }

  /**
   * Has the guest's agent set the clock (seconds since 1970); with SYNC to the guest's hardware clock.
   * virDomainSetTime, DOMAIN_SET_TIME.
   * @param flags See {@link DomainSetTimeFlags}.
   * @throws {LibvirtError} AGENT_UNRESPONSIVE: no agent answers.
   * @throws {LibvirtError} ARGUMENT_UNSUPPORTED: the domain has no channel for it.
   */
  async setTime(
    domain: Domain,
    seconds: number,
    nanoseconds: number = 0,
    flags: number = 0,
    options?: CallOptions,
  ): Promise<void> {
    await this.#caller.call(Procedures.DOMAIN_SET_TIME, { domain, seconds, nanoseconds, flags }, options);
  }

  /**
   * Has the guest's agent set a user's password.
   * virDomainSetUserPassword, DOMAIN_SET_USER_PASSWORD.
   * @param flags See {@link DomainSetUserPasswordFlags}.
   * @throws {LibvirtError} AGENT_UNRESPONSIVE: no agent answers.
   * @throws {LibvirtError} ARGUMENT_UNSUPPORTED: the domain has no channel for it.
   * @throws {LibvirtError} OPERATION_INVALID: it does not run.
   */
  async setUserPassword(
    domain: Domain,
    user: string | null = null,
    password: string | null = null,
    flags: number = 0,
    options?: CallOptions,
  ): Promise<void> {
    await this.#caller.call(Procedures.DOMAIN_SET_USER_PASSWORD, { domain, user, password, flags }, options);
  }

  /**
   * The authorized SSH keys of a user, from the guest's agent.
   * virDomainAuthorizedSSHKeysGet, DOMAIN_AUTHORIZED_SSH_KEYS_GET, libvirt 6.10.0 or later.
   * @throws {LibvirtError} AGENT_UNRESPONSIVE: no agent answers.
   * @throws {LibvirtError} ARGUMENT_UNSUPPORTED: the domain has no channel for it.
   * @throws {LibvirtError} OPERATION_INVALID: it does not run.
   */
  async authorizedSSHKeysGet(
    domain: Domain,
    user: string,
    flags: number = 0,
    options?: CallOptions,
  ): Promise<readonly string[]> {
    const result = await this.#caller.call(Procedures.DOMAIN_AUTHORIZED_SSH_KEYS_GET, { domain, user, flags }, options);
    return result.keys;
  }

  /**
   * Has the guest's agent replace, or with APPEND and REMOVE change, the authorized SSH keys of a user.
   * virDomainAuthorizedSSHKeysSet, DOMAIN_AUTHORIZED_SSH_KEYS_SET, libvirt 6.10.0 or later.
   * @param flags See {@link DomainAuthorizedSSHKeysSetFlags}.
   * @throws {LibvirtError} AGENT_UNRESPONSIVE: no agent answers.
   * @throws {LibvirtError} ARGUMENT_UNSUPPORTED: the domain has no channel for it.
   * @throws {LibvirtError} OPERATION_INVALID: it does not run.
   */
  async authorizedSSHKeysSet(
    domain: Domain,
    user: string,
    keys: readonly string[],
    flags: number = 0,
    options?: CallOptions,
  ): Promise<void> {
    await this.#caller.call(Procedures.DOMAIN_AUTHORIZED_SSH_KEYS_SET, { domain, user, keys, flags }, options);
  }

  /**
   * What the guest's agent tells, by libvirt's names, e.g. `os.id`; types 0 is all it can.
   * virDomainGetGuestInfo, DOMAIN_GET_GUEST_INFO.
   * @param types See {@link DomainGuestInfoTypes}.
   * @throws {LibvirtError} AGENT_UNRESPONSIVE: no agent answers.
   * @throws {LibvirtError} ARGUMENT_UNSUPPORTED: the domain has no channel for it.
   * @throws {LibvirtError} OPERATION_INVALID: it does not run.
   */
  async getGuestInfo(
    domain: Domain,
    types: number = 0,
    flags: number = 0,
    options?: CallOptions,
  ): Promise<TypedParamRecord> {
    const result = await this.#caller.call(Procedures.DOMAIN_GET_GUEST_INFO, { domain, types, flags }, options);
    return record(result);
  }

  /**
   * How long libvirt waits for the guest's agent, in seconds.
   * virDomainAgentSetResponseTimeout, DOMAIN_AGENT_SET_RESPONSE_TIMEOUT.
   * @param timeoutSeconds See {@link DomainAgentResponseTimeout}.
   * @throws {LibvirtError} INVALID_ARG: less than BLOCK (-2).
   */
  async agentSetResponseTimeout(
    domain: Domain,
    timeoutSeconds: number,
    flags: number = 0,
    options?: CallOptions,
  ): Promise<void> {
    await this.#caller.call(Procedures.DOMAIN_AGENT_SET_RESPONSE_TIMEOUT, { domain, timeoutSeconds, flags }, options);
  }

  /**
   * Begins to measure for 1 to 60 seconds how fast the guest dirties memory; getAllDomainStats tells (DIRTYRATE).
   * virDomainStartDirtyRateCalc, DOMAIN_START_DIRTY_RATE_CALC, libvirt 7.2.0 or later.
   * @param flags See {@link DomainDirtyRateCalcFlags}.
   * @throws {LibvirtError} CONFIG_UNSUPPORTED: another number of seconds.
   * @throws {LibvirtError} OPERATION_INVALID: it does not run.
   */
  async startDirtyRateCalc(domain: Domain, seconds: number, flags: number = 0, options?: CallOptions): Promise<void> {
    await this.#caller.call(Procedures.DOMAIN_START_DIRTY_RATE_CALC, { domain, seconds, flags }, options);
  }

  /**
   * Migrates to another daemon (dconnuri, as seen from this one) and resolves when the guest runs there. Flags must
   * hold PEER2PEER: only there is it a single call. Parameters e.g. migrate_uri (string), bandwidth (ullong, MiB/s).
   * virDomainMigrateToURI3, DOMAIN_MIGRATE_PERFORM3_PARAMS.
   * @param flags See {@link DomainMigrateFlags}.
   * @throws {LibvirtError} MIGRATE_UNSAFE: disks that may lose data, without UNSAFE.
   * @throws {LibvirtError} OPERATION_ABORTED: somebody aborted the job.
   * @throws {LibvirtError} OPERATION_INVALID: it does not run, or flags lack PEER2PEER.
   * @throws {LibvirtError} SYSTEM_ERROR: the other daemon cannot be reached.
   */
  async migrateToURI3(
    domain: Domain,
    dconnuri: string | null,
    params: readonly TypedParam[],
    flags: number = 0,
    options?: CallOptions,
  ): Promise<void> {
    await this.#caller.call(Procedures.DOMAIN_MIGRATE_PERFORM3_PARAMS, { domain, dconnuri, params, flags }, options);
  }

  /**
   * How long the guest may stand still at the end of a migration.
   * virDomainMigrateSetMaxDowntime, DOMAIN_MIGRATE_SET_MAX_DOWNTIME.
   * @throws {LibvirtError} OPERATION_INVALID: it does not run.
   */
  async migrateSetMaxDowntime(
    domain: Domain,
    downtimeMs: number,
    flags: number = 0,
    options?: CallOptions,
  ): Promise<void> {
    await this.#caller.call(Procedures.DOMAIN_MIGRATE_SET_MAX_DOWNTIME, { domain, downtimeMs, flags }, options);
  }

  /**
   * The bandwidth of migrations, also of one under way.
   * virDomainMigrateSetMaxSpeed, DOMAIN_MIGRATE_SET_MAX_SPEED.
   * @param flags See {@link DomainMigrateMaxSpeedFlags}.
   * @throws {LibvirtError} OVERFLOW: more than QEMU can count.
   */
  async migrateSetMaxSpeed(
    domain: Domain,
    bandwidthMibPerSecond: number,
    flags: number = 0,
    options?: CallOptions,
  ): Promise<void> {
    await this.#caller.call(Procedures.DOMAIN_MIGRATE_SET_MAX_SPEED, { domain, bandwidthMibPerSecond, flags }, options);
  }

  /**
   * Lets the guest of a POSTCOPY migration run on the other side now; the rest of its memory follows.
   * virDomainMigrateStartPostCopy, DOMAIN_MIGRATE_START_POST_COPY.
   * @throws {LibvirtError} OPERATION_INVALID: there is no such migration.
   */
  async migrateStartPostCopy(domain: Domain, flags: number = 0, options?: CallOptions): Promise<void> {
    await this.#caller.call(Procedures.DOMAIN_MIGRATE_START_POST_COPY, { domain, flags }, options);
  }
}
