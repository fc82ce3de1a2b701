/** Registering for events, done by `subscribe`, so without methods. The events themselves: events/definitions.ts. */
import { domain, network, nodeDevice, secret, storagePool } from '../wire/objects.ts';
import { flags, int, optional, string } from '../wire/xdr.ts';
import { qemu, remote } from './procedure.ts';

const args = { callbackID: int };
const result = { callbackID: int };

export const eventProcedures = remote({
  CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY: {
    number: 316,
    args: { eventID: int, domain: optional(domain) },
    result,
  },
  CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY: { number: 317, args },
  CONNECT_NETWORK_EVENT_REGISTER_ANY: { number: 313, args: { eventID: int, network: optional(network) }, result },
  CONNECT_NETWORK_EVENT_DEREGISTER_ANY: { number: 314, args },
  CONNECT_STORAGE_POOL_EVENT_REGISTER_ANY: { number: 368, args: { eventID: int, pool: optional(storagePool) }, result },
  CONNECT_STORAGE_POOL_EVENT_DEREGISTER_ANY: { number: 369, args },
  CONNECT_NODE_DEVICE_EVENT_REGISTER_ANY: { number: 374, args: { eventID: int, device: optional(nodeDevice) }, result },
  CONNECT_NODE_DEVICE_EVENT_DEREGISTER_ANY: { number: 375, args },
  CONNECT_SECRET_EVENT_REGISTER_ANY: { number: 380, args: { eventID: int, secret: optional(secret) }, result },
  CONNECT_SECRET_EVENT_DEREGISTER_ANY: { number: 381, args },
  CONNECT_REGISTER_CLOSE_CALLBACK: { number: 360, isPriority: true },
  CONNECT_UNREGISTER_CLOSE_CALLBACK: { number: 361, isPriority: true },
});

export const qemuEventProcedures = qemu({
  QEMU_CONNECT_DOMAIN_MONITOR_EVENT_REGISTER: {
    number: 4,
    args: { domain: optional(domain), event: optional(string), flags },
    result,
  },
  QEMU_CONNECT_DOMAIN_MONITOR_EVENT_DEREGISTER: { number: 5, args },
});
