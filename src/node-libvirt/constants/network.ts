/** Networks and network filters (libvirt-network.h, libvirt-nwfilter.h). */

/** virConnectListAllNetworksFlags (VIR_CONNECT_LIST_NETWORKS_*); 0 is all networks */
export const ListAllNetworksFlags = Object.freeze({
  INACTIVE: 1,
  ACTIVE: 2,
  PERSISTENT: 4,
  TRANSIENT: 8,
  AUTOSTART: 16,
  NO_AUTOSTART: 32,
} as const);

/** virNetworkXMLFlags */
export const NetworkXMLFlags = Object.freeze({
  INACTIVE: 1,
} as const);

/** virNetworkDefineFlags */
export const NetworkDefineFlags = Object.freeze({
  VALIDATE: 1,
} as const);

/** virNetworkCreateFlags */
export const NetworkCreateFlags = Object.freeze({
  VALIDATE: 1,
} as const);

/** virIPAddrType */
export const IPAddrType = Object.freeze({
  IPV4: 0,
  IPV6: 1,
} as const);

/** virNWFilterDefineFlags */
export const NWFilterDefineFlags = Object.freeze({
  VALIDATE: 1,
} as const);
