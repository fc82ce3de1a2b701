// Written by `npm run generate -w node-libvirt` from the entries of procedures/. Do not edit.
// oxlint-disable max-lines
import { Procedures } from '../procedures/index.ts';
import type { CallOptions } from '../session/pending_call.ts';
import type { NWFilter } from '../wire/objects.ts';
import type { Caller } from './caller.ts';

/** Network filters. */
export class NWFilterCalls {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /**
   * Defines a filter, or changes the one with this uuid, for running guests too.
   * virNWFilterDefineXML, NWFILTER_DEFINE_XML.
   * @throws {LibvirtError} XML_ERROR: what is no filter.
   * @throws {LibvirtError} OPERATION_FAILED: a name that another uuid has, or a circle of filters.
   */
  async defineXML(xml: string, options?: CallOptions): Promise<NWFilter> {
    const result = await this.#caller.call(Procedures.NWFILTER_DEFINE_XML, { xml }, options);
    return result.nwfilter;
  }

  /**
   * As defineXML, with flags.
   * virNWFilterDefineXMLFlags, NWFILTER_DEFINE_XML_FLAGS, libvirt 7.7.0 or later.
   * @param flags See {@link NWFilterDefineFlags}.
   * @throws {LibvirtError} XML_ERROR: what is no filter.
   * @throws {LibvirtError} XML_INVALID_SCHEMA: what VALIDATE finds to be none.
   */
  async defineXMLFlags(xml: string, flags: number = 0, options?: CallOptions): Promise<NWFilter> {
    const result = await this.#caller.call(Procedures.NWFILTER_DEFINE_XML_FLAGS, { xml, flags }, options);
    return result.nwfilter;
  }

  /**
   * The filter with a name.
   * virNWFilterLookupByName, NWFILTER_LOOKUP_BY_NAME.
   * @throws {LibvirtError} NO_NWFILTER: there is none.
   */
  async lookupByName(name: string, options?: CallOptions): Promise<NWFilter> {
    const result = await this.#caller.call(Procedures.NWFILTER_LOOKUP_BY_NAME, { name }, options);
    return result.nwfilter;
  }

  /**
   * The filter with a uuid.
   * virNWFilterLookupByUUID, NWFILTER_LOOKUP_BY_UUID.
   * @throws {LibvirtError} NO_NWFILTER: there is none.
   */
  async lookupByUUID(uuid: string, options?: CallOptions): Promise<NWFilter> {
    const result = await this.#caller.call(Procedures.NWFILTER_LOOKUP_BY_UUID, { uuid }, options);
    return result.nwfilter;
  }

  /**
   * The filter's XML.
   * virNWFilterGetXMLDesc, NWFILTER_GET_XML_DESC.
   * @throws {LibvirtError} NO_NWFILTER: there is none.
   */
  async getXMLDesc(nwfilter: NWFilter, flags: number = 0, options?: CallOptions): Promise<string> {
    const result = await this.#caller.call(Procedures.NWFILTER_GET_XML_DESC, { nwfilter, flags }, options);
    return result.xml;
  }

  /**
   * Removes a filter.
   * virNWFilterUndefine, NWFILTER_UNDEFINE.
   * @throws {LibvirtError} NO_NWFILTER: there is none.
   * @throws {LibvirtError} OPERATION_INVALID: a guest or another filter uses it.
   */
  async undefine(nwfilter: NWFilter, options?: CallOptions): Promise<void> {
    await this.#caller.call(Procedures.NWFILTER_UNDEFINE, { nwfilter }, options);
  }
}
