/** Calls on domains (virDomain*), one method per libvirt function. A domain is plain data and survives reconnects. */
import { ConnectCalls } from './connect_calls.ts';
import { toNumber } from './numbers.ts';
import type { CallOptions } from './pending_call.ts';
import { Procedures, type Domain } from './procedures.ts';

/** virDomainInfo */
export type DomainInfo = {
  /** See DomainState. */
  readonly state: number;
  readonly maxMemKib: number;
  /** What the balloon leaves the guest. */
  readonly memoryKib: number;
  readonly nrVirtCpu: number;
  /** CPU time used, in nanoseconds: a large guest passes 2^53 within days. */
  readonly cpuTimeNs: bigint;
};

/** See DomainState and DomainStateReason. */
export type DomainStateAndReason = { readonly state: number; readonly reason: number };

export type DomainMetadata = {
  /** See DomainMetadataType. */
  readonly type: number;
  /** The text, or for ELEMENT the XML, whose root must not declare its prefix itself; null removes it. */
  readonly metadata: string | null;
  /** ELEMENT: the prefix that libvirt gives the root. */
  readonly key?: string;
  /** ELEMENT: the namespace. */
  readonly uri?: string;
  /** See DomainModificationImpact. */
  readonly flags: number;
};

export type DomainMetadataQuery = Pick<DomainMetadata, 'type' | 'uri' | 'flags'>;

/** Calls on a domain that does not exist are refused with NO_DOMAIN throughout. */
export abstract class DomainCalls extends ConnectCalls {
  /** Domains of the host; flags as in ListAllDomainsFlags, 0 for all. virConnectListAllDomains, CONNECT_LIST_ALL_DOMAINS. */
  async listAllDomains(flags: number, options?: CallOptions): Promise<readonly Domain[]> {
    return (await this.call(Procedures.CONNECT_LIST_ALL_DOMAINS, { needResults: 1, flags }, options)).domains;
  }

  /** virDomainLookupByUUIDString, DOMAIN_LOOKUP_BY_UUID. @throws {LibvirtError} NO_DOMAIN */
  async lookupDomainByUUID(uuid: string, options?: CallOptions): Promise<Domain> {
    return (await this.call(Procedures.DOMAIN_LOOKUP_BY_UUID, { uuid }, options)).dom;
  }

  /** virDomainLookupByName, DOMAIN_LOOKUP_BY_NAME. @throws {LibvirtError} NO_DOMAIN */
  async lookupDomainByName(name: string, options?: CallOptions): Promise<Domain> {
    return (await this.call(Procedures.DOMAIN_LOOKUP_BY_NAME, { name }, options)).dom;
  }

  /**
   * Defines a persistent domain or changes the definition of the one with this uuid; flags as in DomainDefineFlags.
   * virDomainDefineXMLFlags, DOMAIN_DEFINE_XML_FLAGS.
   * @throws {LibvirtError} XML_DETAIL for what is not well-formed, XML_ERROR for what is no domain, CONFIG_UNSUPPORTED;
   * OPERATION_FAILED for a name that another uuid has.
   */
  async defineDomainXML(xml: string, flags: number, options?: CallOptions): Promise<Domain> {
    return (await this.call(Procedures.DOMAIN_DEFINE_XML_FLAGS, { xml, flags }, options)).dom;
  }

  /** Starts a transient domain; flags as in DomainCreateFlags. virDomainCreateXML, DOMAIN_CREATE_XML. */
  async createDomainXML(xml: string, flags: number, options?: CallOptions): Promise<Domain> {
    return (await this.call(Procedures.DOMAIN_CREATE_XML, { xml, flags }, options)).dom;
  }

  /**
   * Starts a defined domain and resolves to it with its new id; flags as in DomainCreateFlags. Takes seconds.
   * virDomainCreateWithFlags, DOMAIN_CREATE_WITH_FLAGS. @throws {LibvirtError} OPERATION_INVALID where it runs already.
   */
  async createDomain(domain: Domain, flags: number, options?: CallOptions): Promise<Domain> {
    return (await this.call(Procedures.DOMAIN_CREATE_WITH_FLAGS, { dom: domain, flags }, options)).dom;
  }

  /**
   * Ends the guest at once; flags as in DomainDestroyFlags. virDomainDestroyFlags, DOMAIN_DESTROY_FLAGS.
   * @throws {LibvirtError} OPERATION_INVALID where it does not run; SYSTEM_ERROR with int1 16 (EBUSY) where QEMU does
   * not end within the time libvirt grants: repeat.
   */
  async destroyDomain(domain: Domain, flags: number, options?: CallOptions): Promise<void> {
    await this.call(Procedures.DOMAIN_DESTROY_FLAGS, { dom: domain, flags }, options);
  }

  /** Removes the definition; flags as in DomainUndefineFlags. virDomainUndefineFlags, DOMAIN_UNDEFINE_FLAGS. */
  async undefineDomain(domain: Domain, flags: number, options?: CallOptions): Promise<void> {
    await this.call(Procedures.DOMAIN_UNDEFINE_FLAGS, { dom: domain, flags }, options);
  }

  /** Asks the guest to shut down and does not wait for it. virDomainShutdownFlags, DOMAIN_SHUTDOWN_FLAGS. */
  async shutdownDomain(domain: Domain, flags: number, options?: CallOptions): Promise<void> {
    await this.call(Procedures.DOMAIN_SHUTDOWN_FLAGS, { dom: domain, flags }, options);
  }

  /** Stops the guest's CPUs, keeps its memory. virDomainSuspend, DOMAIN_SUSPEND. */
  async suspendDomain(domain: Domain, options?: CallOptions): Promise<void> {
    await this.call(Procedures.DOMAIN_SUSPEND, { dom: domain }, options);
  }

  /** Lets a suspended guest run on. virDomainResume, DOMAIN_RESUME. */
  async resumeDomain(domain: Domain, options?: CallOptions): Promise<void> {
    await this.call(Procedures.DOMAIN_RESUME, { dom: domain }, options);
  }

  /** The domain's XML; flags as in DomainXMLFlags. virDomainGetXMLDesc, DOMAIN_GET_XML_DESC. */
  async getDomainXMLDesc(domain: Domain, flags: number, options?: CallOptions): Promise<string> {
    return (await this.call(Procedures.DOMAIN_GET_XML_DESC, { dom: domain, flags }, options)).xml;
  }

  /** State, memory and CPU time. virDomainGetInfo, DOMAIN_GET_INFO. */
  async getDomainInfo(domain: Domain, options?: CallOptions): Promise<DomainInfo> {
    const { state, maxMem, memory, nrVirtCpu, cpuTime } = await this.call(
      Procedures.DOMAIN_GET_INFO,
      { dom: domain },
      options,
    );
    return {
      state,
      maxMemKib: toNumber(maxMem, 'maxMem'),
      memoryKib: toNumber(memory, 'memory'),
      nrVirtCpu,
      cpuTimeNs: cpuTime,
    };
  }

  /** virDomainGetState, DOMAIN_GET_STATE; answered also while a job holds the domain. */
  async getDomainState(domain: Domain, options?: CallOptions): Promise<DomainStateAndReason> {
    return this.call(Procedures.DOMAIN_GET_STATE, { dom: domain, flags: 0 }, options);
  }

  /** Title, description or an XML element of the user's. virDomainSetMetadata, DOMAIN_SET_METADATA. */
  async setDomainMetadata(domain: Domain, metadata: DomainMetadata, options?: CallOptions): Promise<void> {
    const { type, metadata: text, key = null, uri = null, flags } = metadata;
    await this.call(Procedures.DOMAIN_SET_METADATA, { dom: domain, type, metadata: text, key, uri, flags }, options);
  }

  /** virDomainGetMetadata, DOMAIN_GET_METADATA. @throws {LibvirtError} NO_DOMAIN_METADATA where there is none. */
  async getDomainMetadata(domain: Domain, query: DomainMetadataQuery, options?: CallOptions): Promise<string> {
    const { type, uri = null, flags } = query;
    return (await this.call(Procedures.DOMAIN_GET_METADATA, { dom: domain, type, uri, flags }, options)).metadata;
  }
}
