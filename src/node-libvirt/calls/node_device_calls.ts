// Written by `npm run generate -w node-libvirt` from the entries of procedures/. Do not edit.
// oxlint-disable max-lines
import { Procedures } from '../procedures/index.ts';
import type { CallOptions } from '../session/pending_call.ts';
import type { NodeDevice } from '../wire/objects.ts';
import type { Caller } from './caller.ts';

/** Devices of the host. */
export class NodeDeviceCalls {
  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }

  /**
   * The device with a name, e.g. «pci_0000_00_00_0».
   * virNodeDeviceLookupByName, NODE_DEVICE_LOOKUP_BY_NAME.
   * @throws {LibvirtError} NO_NODE_DEVICE: there is none.
   */
  async lookupByName(name: string, options?: CallOptions): Promise<NodeDevice> {
    const result = await this.#caller.call(Procedures.NODE_DEVICE_LOOKUP_BY_NAME, { name }, options);
    return result.device;
  }

  /**
   * What a device is and can do, as XML.
   * virNodeDeviceGetXMLDesc, NODE_DEVICE_GET_XML_DESC.
   * @throws {LibvirtError} NO_NODE_DEVICE: there is no such device.
   */
  async getXMLDesc(device: NodeDevice, flags: number = 0, options?: CallOptions): Promise<string> {
    const result = await this.#caller.call(Procedures.NODE_DEVICE_GET_XML_DESC, { device, flags }, options);
    return result.xml;
  }

  /**
   * Defines a mediated device; other kinds cannot be defined.
   * virNodeDeviceDefineXML, NODE_DEVICE_DEFINE_XML, libvirt 7.3.0 or later.
   * @param flags See {@link NodeDeviceDefineXMLFlags}.
   */
  async defineXML(xml: string, flags: number = 0, options?: CallOptions): Promise<NodeDevice> {
    const result = await this.#caller.call(Procedures.NODE_DEVICE_DEFINE_XML, { xml, flags }, options);
    return result.device;
  }

  /**
   * Removes the definition of a mediated device.
   * virNodeDeviceUndefine, NODE_DEVICE_UNDEFINE, libvirt 7.3.0 or later.
   * @throws {LibvirtError} NO_NODE_DEVICE: there is no such device.
   */
  async undefine(device: NodeDevice, flags: number = 0, options?: CallOptions): Promise<void> {
    await this.#caller.call(Procedures.NODE_DEVICE_UNDEFINE, { device, flags }, options);
  }

  /**
   * Starts a defined mediated device.
   * virNodeDeviceCreate, NODE_DEVICE_CREATE, libvirt 7.3.0 or later.
   * @throws {LibvirtError} NO_NODE_DEVICE: there is no such device.
   * @throws {LibvirtError} OPERATION_INVALID: it is started already.
   */
  async create(device: NodeDevice, flags: number = 0, options?: CallOptions): Promise<void> {
    await this.#caller.call(Procedures.NODE_DEVICE_CREATE, { device, flags }, options);
  }

  /**
   * Whether a mediated device starts with its parent.
   * virNodeDeviceGetAutostart, NODE_DEVICE_GET_AUTOSTART, libvirt 7.8.0 or later.
   */
  async getAutostart(device: NodeDevice, options?: CallOptions): Promise<boolean> {
    const result = await this.#caller.call(Procedures.NODE_DEVICE_GET_AUTOSTART, { device }, options);
    return result.isAutostart;
  }

  /**
   * Whether a mediated device shall start with its parent.
   * virNodeDeviceSetAutostart, NODE_DEVICE_SET_AUTOSTART, libvirt 7.8.0 or later.
   * @throws {LibvirtError} OPERATION_UNSUPPORTED: it is no mediated device.
   */
  async setAutostart(device: NodeDevice, autostart: boolean, options?: CallOptions): Promise<void> {
    await this.#caller.call(Procedures.NODE_DEVICE_SET_AUTOSTART, { device, autostart }, options);
  }

  /**
   * Whether a device is defined, or will always be there.
   * virNodeDeviceIsPersistent, NODE_DEVICE_IS_PERSISTENT, libvirt 7.8.0 or later.
   */
  async isPersistent(device: NodeDevice, options?: CallOptions): Promise<boolean> {
    const result = await this.#caller.call(Procedures.NODE_DEVICE_IS_PERSISTENT, { device }, options);
    return result.isPersistent;
  }

  /**
   * Whether a device is there, as opposed to only defined.
   * virNodeDeviceIsActive, NODE_DEVICE_IS_ACTIVE, libvirt 7.8.0 or later.
   */
  async isActive(device: NodeDevice, options?: CallOptions): Promise<boolean> {
    const result = await this.#caller.call(Procedures.NODE_DEVICE_IS_ACTIVE, { device }, options);
    return result.isActive;
  }
}
