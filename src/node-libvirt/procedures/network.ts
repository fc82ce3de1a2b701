/** Virtual networks (virNetwork*). */
import { network } from '../wire/objects.ts';
import {
  bool,
  fixed,
  flags,
  int,
  list,
  naming,
  optional,
  shyperNumber,
  string,
  struct,
  uint,
  uuid,
} from '../wire/xdr.ts';
import { remote } from './procedure.ts';

const DHCP_LEASES_MAX = 65_536;
const text = optional(string);
const missing = { NO_NETWORK: 'there is none' };
const unfit = { XML_DETAIL: 'what is not well-formed', XML_ERROR: 'what is no network' };
const taken = { ...unfit, OPERATION_FAILED: 'a name that another uuid has' };

export const networkProcedures = remote({
  NETWORK_LOOKUP_BY_NAME: {
    number: 46,
    isPriority: true,
    args: { name: string },
    result: { network },
    method: { c: 'virNetworkLookupByName', doc: 'The network with a name.', throws: missing },
  },
  NETWORK_LOOKUP_BY_UUID: {
    number: 47,
    isPriority: true,
    args: { uuid },
    result: { network },
    method: { c: 'virNetworkLookupByUUID', doc: 'The network with a uuid.', throws: missing },
  },
  NETWORK_CREATE_XML: {
    number: 40,
    args: { xml: string },
    result: { network },
    method: {
      c: 'virNetworkCreateXML',
      doc: 'Starts a transient network: it is gone when it stops.',
      throws: { ...taken, INTERNAL_ERROR: 'addresses that are in use' },
    },
  },
  NETWORK_CREATE_XML_FLAGS: {
    number: 437,
    since: '7.8.0',
    args: { xml: string, flags: naming('NetworkCreateFlags', flags) },
    result: { network },
    method: {
      c: 'virNetworkCreateXMLFlags',
      doc: 'As createXML, with flags.',
      throws: { ...taken, XML_INVALID_SCHEMA: 'what VALIDATE finds to be none' },
    },
  },
  NETWORK_DEFINE_XML: {
    number: 41,
    isPriority: true,
    args: { xml: string },
    result: { network },
    method: {
      c: 'virNetworkDefineXML',
      doc: 'Defines a persistent network, or changes the definition of the one with this uuid. It does not start.',
      throws: taken,
    },
  },
  NETWORK_DEFINE_XML_FLAGS: {
    number: 432,
    isPriority: true,
    since: '7.7.0',
    args: { xml: string, flags: naming('NetworkDefineFlags', flags) },
    result: { network },
    method: {
      c: 'virNetworkDefineXMLFlags',
      doc: 'As defineXML, with flags.',
      throws: { ...taken, XML_INVALID_SCHEMA: 'what VALIDATE finds to be none' },
    },
  },
  NETWORK_CREATE: {
    number: 39,
    args: { network },
    method: {
      c: 'virNetworkCreate',
      doc: 'Starts a defined network.',
      throws: { OPERATION_INVALID: 'it is started already', INTERNAL_ERROR: 'addresses that are in use' },
    },
  },
  NETWORK_DESTROY: {
    number: 42,
    isPriority: true,
    args: { network },
    method: {
      c: 'virNetworkDestroy',
      doc: 'Stops a network, whoever is on it. A transient one is gone then.',
      throws: { OPERATION_INVALID: 'it is not started' },
    },
  },
  NETWORK_UNDEFINE: {
    number: 49,
    isPriority: true,
    args: { network },
    method: {
      c: 'virNetworkUndefine',
      doc: 'Removes the definition; a started network becomes transient.',
      throws: { OPERATION_INVALID: 'it is transient' },
    },
  },
  NETWORK_GET_XML_DESC: {
    number: 43,
    args: { network, flags: naming('NetworkXMLFlags', flags) },
    result: { xml: string },
    method: { c: 'virNetworkGetXMLDesc', doc: "The network's XML; without INACTIVE that of the started network." },
  },
  NETWORK_GET_BRIDGE_NAME: {
    number: 45,
    args: { network },
    result: { name: string },
    method: {
      c: 'virNetworkGetBridgeName',
      doc: "The network's bridge on the host.",
      throws: { INTERNAL_ERROR: 'it has none' },
    },
  },
  NETWORK_GET_AUTOSTART: {
    number: 44,
    args: { network },
    result: { isAutostart: bool },
    method: { c: 'virNetworkGetAutostart', doc: 'Whether the network starts with the host.' },
  },
  NETWORK_SET_AUTOSTART: {
    number: 48,
    args: { network, autostart: bool },
    method: {
      c: 'virNetworkSetAutostart',
      doc: 'Whether the network shall start with the host.',
      throws: { OPERATION_INVALID: 'it is transient' },
    },
  },
  NETWORK_IS_ACTIVE: {
    number: 152,
    args: { network },
    result: { isActive: bool },
    method: { c: 'virNetworkIsActive', doc: 'Whether the network is started.' },
  },
  NETWORK_IS_PERSISTENT: {
    number: 153,
    args: { network },
    result: { isPersistent: bool },
    method: { c: 'virNetworkIsPersistent', doc: 'Whether the network is defined, so that it outlives a stop.' },
  },
  NETWORK_GET_DHCP_LEASES: {
    number: 341,
    args: { network, mac: text, needResults: fixed(int, 1), flags },
    result: {
      leases: list(
        struct({
          iface: string,
          expirySeconds: shyperNumber,
          type: naming('IPAddrType', int),
          mac: text,
          iaid: text,
          ipaddr: string,
          prefix: uint,
          hostname: text,
          clientid: text,
        }),
        DHCP_LEASES_MAX,
      ),
      count: fixed(uint, 0),
    },
    method: {
      c: 'virNetworkGetDHCPLeases',
      doc: "The leases of the network's DHCP server, all or those of a MAC; expirySeconds is since 1970, 0 is never.",
      throws: { NO_NETWORK: 'there is no such network' },
    },
  },
});
