// Written by `npm run generate -w node-libvirt` from the entries of procedures/. Do not edit.
// oxlint-disable max-lines
import { Procedures } from '../procedures/index.ts';
import type { CallOptions } from '../session/pending_call.ts';
import type { Domain, DomainSnapshot } from '../wire/objects.ts';
import type { Caller } from './caller.ts';

/** Snapshots of domains. */
export class DomainSnapshotCalls {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /**
   * Takes a snapshot as a <domainsnapshot> describes it; without a name it gets the time as name.
   * virDomainSnapshotCreateXML, DOMAIN_SNAPSHOT_CREATE_XML.
   * @param flags See {@link DomainSnapshotCreateFlags}.
   * @throws {LibvirtError} CONFIG_UNSUPPORTED: a disk that cannot be snapshotted so.
   * @throws {LibvirtError} OPERATION_INVALID: the name is taken.
   */
  async createXML(domain: Domain, xml: string, flags: number = 0, options?: CallOptions): Promise<DomainSnapshot> {
    const result = await this.#caller.call(Procedures.DOMAIN_SNAPSHOT_CREATE_XML, { domain, xml, flags }, options);
    return result.snapshot;
  }

  /**
   * The snapshot of a domain with a name.
   * virDomainSnapshotLookupByName, DOMAIN_SNAPSHOT_LOOKUP_BY_NAME.
   * @throws {LibvirtError} NO_DOMAIN_SNAPSHOT: there is none.
   */
  async lookupByName(domain: Domain, name: string, flags: number = 0, options?: CallOptions): Promise<DomainSnapshot> {
    const result = await this.#caller.call(Procedures.DOMAIN_SNAPSHOT_LOOKUP_BY_NAME, { domain, name, flags }, options);
    return result.snapshot;
  }

  /**
   * The snapshot's XML, with that of the domain at its time.
   * virDomainSnapshotGetXMLDesc, DOMAIN_SNAPSHOT_GET_XML_DESC.
   * @param flags See {@link DomainSnapshotXMLFlags}.
   * @throws {LibvirtError} NO_DOMAIN_SNAPSHOT: there is no such snapshot.
   */
  async getXMLDesc(snapshot: DomainSnapshot, flags: number = 0, options?: CallOptions): Promise<string> {
    const result = await this.#caller.call(Procedures.DOMAIN_SNAPSHOT_GET_XML_DESC, { snapshot, flags }, options);
    return result.xml;
  }

  /**
   * Deletes a snapshot; its data too, unless METADATA_ONLY.
   * virDomainSnapshotDelete, DOMAIN_SNAPSHOT_DELETE.
   * @param flags See {@link DomainSnapshotDeleteFlags}.
   * @throws {LibvirtError} NO_DOMAIN_SNAPSHOT: there is no such snapshot.
   */
  async delete(snapshot: DomainSnapshot, flags: number = 0, options?: CallOptions): Promise<void> {
    await this.#caller.call(Procedures.DOMAIN_SNAPSHOT_DELETE, { snapshot, flags }, options);
  }
}
