// Written by `npm run generate -w node-libvirt` from the entries of procedures/. Do not edit.
// oxlint-disable max-lines
import { Procedures } from '../procedures/index.ts';
import type { CallOptions } from '../session/pending_call.ts';
import type { Network } from '../wire/objects.ts';
import type { Caller } from './caller.ts';

/** Virtual networks. */
export class NetworkCalls {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /**
   * The network with a name.
   * virNetworkLookupByName, NETWORK_LOOKUP_BY_NAME.
   * @throws {LibvirtError} NO_NETWORK: there is none.
   */
  async lookupByName(name: string, options?: CallOptions): Promise<Network> {
    const result = await this.#caller.call(Procedures.NETWORK_LOOKUP_BY_NAME, { name }, options);
    return result.network;
  }

  /**
   * The network with a uuid.
   * virNetworkLookupByUUID, NETWORK_LOOKUP_BY_UUID.
   * @throws {LibvirtError} NO_NETWORK: there is none.
   */
  async lookupByUUID(uuid: string, options?: CallOptions): Promise<Network> {
    const result = await this.#caller.call(Procedures.NETWORK_LOOKUP_BY_UUID, { uuid }, options);
    return result.network;
  }

  /**
   * Starts a transient network: it is gone when it stops.
   * virNetworkCreateXML, NETWORK_CREATE_XML.
   * @throws {LibvirtError} XML_DETAIL: what is not well-formed.
   * @throws {LibvirtError} XML_ERROR: what is no network.
   * @throws {LibvirtError} OPERATION_FAILED: a name that another uuid has.
   * @throws {LibvirtError} INTERNAL_ERROR: addresses that are in use.
   */
  async createXML(xml: string, options?: CallOptions): Promise<Network> {
    const result = await this.#caller.call(Procedures.NETWORK_CREATE_XML, { xml }, options);
    return result.network;
  }

  /**
   * As createXML, with flags.
   * virNetworkCreateXMLFlags, NETWORK_CREATE_XML_FLAGS, libvirt 7.8.0 or later.
   * @param flags See {@link NetworkCreateFlags}.
   * @throws {LibvirtError} XML_DETAIL: what is not well-formed.
   * @throws {LibvirtError} XML_ERROR: what is no network.
   * @throws {LibvirtError} OPERATION_FAILED: a name that another uuid has.
   * @throws {LibvirtError} XML_INVALID_SCHEMA: what VALIDATE finds to be none.
   */
  async createXMLFlags(xml: string, flags: number = 0, options?: CallOptions): Promise<Network> {
    const result = await this.#caller.call(Procedures.NETWORK_CREATE_XML_FLAGS, { xml, flags }, options);
    return result.network;
  }

  /**
   * Defines a persistent network, or changes the definition of the one with this uuid. It does not start.
   * virNetworkDefineXML, NETWORK_DEFINE_XML.
   * @throws {LibvirtError} XML_DETAIL: what is not well-formed.
   * @throws {LibvirtError} XML_ERROR: what is no network.
   * @throws {LibvirtError} OPERATION_FAILED: a name that another uuid has.
   */
  async defineXML(xml: string, options?: CallOptions): Promise<Network> {
    const result = await this.#caller.call(Procedures.NETWORK_DEFINE_XML, { xml }, options);
    return result.network;
  }

  /**
   * As defineXML, with flags.
   * virNetworkDefineXMLFlags, NETWORK_DEFINE_XML_FLAGS, libvirt 7.7.0 or later.
   * @param flags See {@link NetworkDefineFlags}.
   * @throws {LibvirtError} XML_DETAIL: what is not well-formed.
   * @throws {LibvirtError} XML_ERROR: what is no network.
   * @throws {LibvirtError} OPERATION_FAILED: a name that another uuid has.
   * @throws {LibvirtError} XML_INVALID_SCHEMA: what VALIDATE finds to be none.
   */
  async defineXMLFlags(xml: string, flags: number = 0, options?: CallOptions): Promise<Network> {
    const result = await this.#caller.call(Procedures.NETWORK_DEFINE_XML_FLAGS, { xml, flags }, options);
    return result.network;
  }

  /**
   * Starts a defined network.
   * virNetworkCreate, NETWORK_CREATE.
   * @throws {LibvirtError} OPERATION_INVALID: it is started already.
   * @throws {LibvirtError} INTERNAL_ERROR: addresses that are in use.
   */
  async create(network: Network, options?: CallOptions): Promise<void> {
    await this.#caller.call(Procedures.NETWORK_CREATE, { network }, options);
  }

  /**
   * Stops a network, whoever is on it. A transient one is gone then.
   * virNetworkDestroy, NETWORK_DESTROY.
   * @throws {LibvirtError} OPERATION_INVALID: it is not started.
   */
  async destroy(network: Network, options?: CallOptions): Promise<void> {
    await this.#caller.call(Procedures.NETWORK_DESTROY, { network }, options);
  }

  /**
   * Removes the definition; a started network becomes transient.
   * virNetworkUndefine, NETWORK_UNDEFINE.
   * @throws {LibvirtError} OPERATION_INVALID: it is transient.
   */
  async undefine(network: Network, options?: CallOptions): Promise<void> {
    await this.#caller.call(Procedures.NETWORK_UNDEFINE, { network }, options);
  }

  /**
   * The network's XML; without INACTIVE that of the started network.
   * virNetworkGetXMLDesc, NETWORK_GET_XML_DESC.
   * @param flags See {@link NetworkXMLFlags}.
   */
  async getXMLDesc(network: Network, flags: number = 0, options?: CallOptions): Promise<string> {
    const result = await this.#caller.call(Procedures.NETWORK_GET_XML_DESC, { network, flags }, options);
    return result.xml;
  }

  /**
   * The network's bridge on the host.
   * virNetworkGetBridgeName, NETWORK_GET_BRIDGE_NAME.
   * @throws {LibvirtError} INTERNAL_ERROR: it has none.
   */
  async getBridgeName(network: Network, options?: CallOptions): Promise<string> {
    const result = await this.#caller.call(Procedures.NETWORK_GET_BRIDGE_NAME, { network }, options);
    return result.name;
  }

  /**
   * Whether the network starts with the host.
   * virNetworkGetAutostart, NETWORK_GET_AUTOSTART.
   */
  async getAutostart(network: Network, options?: CallOptions): Promise<boolean> {
    const result = await this.#caller.call(Procedures.NETWORK_GET_AUTOSTART, { network }, options);
    return result.isAutostart;
  }

  /**
   * Whether the network shall start with the host.
   * virNetworkSetAutostart, NETWORK_SET_AUTOSTART.
   * @throws {LibvirtError} OPERATION_INVALID: it is transient.
   */
  async setAutostart(network: Network, autostart: boolean, options?: CallOptions): Promise<void> {
    await this.#caller.call(Procedures.NETWORK_SET_AUTOSTART, { network, autostart }, options);
  }

  /**
   * Whether the network is started.
   * virNetworkIsActive, NETWORK_IS_ACTIVE.
   */
  async isActive(network: Network, options?: CallOptions): Promise<boolean> {
    const result = await this.#caller.call(Procedures.NETWORK_IS_ACTIVE, { network }, options);
    return result.isActive;
  }

  /**
   * Whether the network is defined, so that it outlives a stop.
   * virNetworkIsPersistent, NETWORK_IS_PERSISTENT.
   */
  async isPersistent(network: Network, options?: CallOptions): Promise<boolean> {
    const result = await this.#caller.call(Procedures.NETWORK_IS_PERSISTENT, { network }, options);
    return result.isPersistent;
  }

  /**
   * The leases of the network's DHCP server, all or those of a MAC; expirySeconds is since 1970, 0 is never.
   * virNetworkGetDHCPLeases, NETWORK_GET_DHCP_LEASES.
   * @throws {LibvirtError} NO_NETWORK: there is no such network.
   */
  async getDHCPLeases(
    network: Network,
    mac: string | null = null,
    flags: number = 0,
    options?: CallOptions,
  ): Promise<
    readonly {
      readonly iface: string;
      readonly expirySeconds: number;
      readonly type: number;
      readonly mac: string | null;
      readonly iaid: string | null;
      readonly ipaddr: string;
      readonly prefix: number;
      readonly hostname: string | null;
      readonly clientid: string | null;
    }[]
  > {
    const result = await this.#caller.call(Procedures.NETWORK_GET_DHCP_LEASES, { network, mac, flags }, options);
    return result.leases;
  }
}
