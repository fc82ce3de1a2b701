/** The kinds of events there are, by how they are registered for and which program tells them. */
import type { Caller } from '../calls/caller.ts';
import { Procedures } from '../procedures/index.ts';
import {
  PROGRAM_VERSION,
  QEMU_PROGRAM,
  REMOTE_PROGRAM,
  type Message,
  type Procedure,
} from '../procedures/procedure.ts';
import type { Domain } from '../wire/objects.ts';
import { int, struct, type Type } from '../wire/xdr.ts';

/** What the daemon is asked for; all null and 0 but for events that it can filter. */
export type Registration = { readonly domain: Domain | null; readonly event: string | null; readonly flags: number };

export type Registrar = Pick<Caller, 'call'>;

export type EventDefinition<E> = {
  readonly message: Message<EventBody<E>>;
  /** Resolves to the callbackID. */
  readonly register: (caller: Registrar, registration: Registration) => Promise<number>;
  readonly deregister: (caller: Registrar, callbackID: number) => Promise<unknown>;
  /** Whether the daemon can filter, so that each wish is a registration of its own. */
  readonly isFiltered: boolean;
  /** Whether it is about a domain. */
  readonly hasDomain: boolean;
};

export type EventBody<E> = { readonly callbackID: number; readonly event: E };

/** Of a domain (virConnectDomainEventRegisterAny). */
export function domainEvent<E>(eventID: number, number: number, event: Type<E>): EventDefinition<E> {
  const { CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY } = Procedures;
  const args = { eventID, domain: null };
  const registrar = registeredBy(
    CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY,
    args,
    CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY,
  );
  return { ...toldAs(number, event), ...registrar, hasDomain: true };
}

/** virConnectNetworkEventRegisterAny */
export function networkEvent<E>(eventID: number, number: number, event: Type<E>): EventDefinition<E> {
  const { CONNECT_NETWORK_EVENT_REGISTER_ANY, CONNECT_NETWORK_EVENT_DEREGISTER_ANY } = Procedures;
  const args = { eventID, network: null };
  const registrar = registeredBy(CONNECT_NETWORK_EVENT_REGISTER_ANY, args, CONNECT_NETWORK_EVENT_DEREGISTER_ANY);
  return { ...toldAs(number, event), ...registrar };
}

/** virConnectStoragePoolEventRegisterAny */
export function storagePoolEvent<E>(eventID: number, number: number, event: Type<E>): EventDefinition<E> {
  const { CONNECT_STORAGE_POOL_EVENT_REGISTER_ANY, CONNECT_STORAGE_POOL_EVENT_DEREGISTER_ANY } = Procedures;
  const args = { eventID, pool: null };
  const registrar = registeredBy(
    CONNECT_STORAGE_POOL_EVENT_REGISTER_ANY,
    args,
    CONNECT_STORAGE_POOL_EVENT_DEREGISTER_ANY,
  );
  return { ...toldAs(number, event), ...registrar };
}

/** virConnectNodeDeviceEventRegisterAny */
export function nodeDeviceEvent<E>(eventID: number, number: number, event: Type<E>): EventDefinition<E> {
  const { CONNECT_NODE_DEVICE_EVENT_REGISTER_ANY, CONNECT_NODE_DEVICE_EVENT_DEREGISTER_ANY } = Procedures;
  const args = { eventID, device: null };
  const registrar = registeredBy(
    CONNECT_NODE_DEVICE_EVENT_REGISTER_ANY,
    args,
    CONNECT_NODE_DEVICE_EVENT_DEREGISTER_ANY,
  );
  return { ...toldAs(number, event), ...registrar };
}

/** virConnectSecretEventRegisterAny */
export function secretEvent<E>(eventID: number, number: number, event: Type<E>): EventDefinition<E> {
  const { CONNECT_SECRET_EVENT_REGISTER_ANY, CONNECT_SECRET_EVENT_DEREGISTER_ANY } = Procedures;
  const args = { eventID, secret: null };
  const registrar = registeredBy(CONNECT_SECRET_EVENT_REGISTER_ANY, args, CONNECT_SECRET_EVENT_DEREGISTER_ANY);
  return { ...toldAs(number, event), ...registrar };
}

/** For all objects of a kind: who wants one of them looks at the event. */
function registeredBy<A>(
  register: Procedure<A, { readonly callbackID: number }>,
  args: A,
  deregister: Procedure<{ readonly callbackID: number }>,
): Pick<EventDefinition<unknown>, 'register' | 'deregister'> {
  return {
    register: async (caller) => (await caller.call(register, args)).callbackID,
    deregister: (caller, callbackID) => caller.call(deregister, { callbackID }),
  };
}

/** virConnectRegisterCloseCallback: there is one per connection, so neither side gives it a number. */
export function closeEvent<E>(number: number, event: Type<E>): EventDefinition<E> {
  const only = 0;
  const body: Type<EventBody<E>> = {
    minSize: event.minSize,
    ts: event.ts,
    encode: (writer, told) => event.encode(writer, told.event),
    decode: (reader) => ({ callbackID: only, event: event.decode(reader) }),
  };
  return {
    message: { name: `event ${number}`, program: REMOTE_PROGRAM, version: PROGRAM_VERSION, number, body },
    isFiltered: false,
    hasDomain: false,
    register: async (caller) => {
      await caller.call(Procedures.CONNECT_REGISTER_CLOSE_CALLBACK, {});
      return only;
    },
    deregister: (caller) => caller.call(Procedures.CONNECT_UNREGISTER_CLOSE_CALLBACK, {}),
  };
}

/** virConnectDomainQemuMonitorEventRegister */
export function qemuEvent<E>(number: number, event: Type<E>): EventDefinition<E> {
  return {
    ...toldAs(number, event, QEMU_PROGRAM),
    isFiltered: true,
    hasDomain: true,
    register: async (caller, registration) =>
      (await caller.call(Procedures.QEMU_CONNECT_DOMAIN_MONITOR_EVENT_REGISTER, registration)).callbackID,
    deregister: (caller, callbackID) =>
      caller.call(Procedures.QEMU_CONNECT_DOMAIN_MONITOR_EVENT_DEREGISTER, { callbackID }),
  };
}

function toldAs<E>(number: number, event: Type<E>, program: number = REMOTE_PROGRAM) {
  const body: Type<EventBody<E>> = struct({ callbackID: int, event });
  return {
    message: { name: `event ${number}`, program, version: PROGRAM_VERSION, number, body },
    isFiltered: false,
    hasDomain: false,
  } as const;
}
