/** Who registered for which event: what the fake daemon needs to send an event to those, and only those, that want it. */
import { Events, type EventName } from '../events/definitions.ts';
import type { Registrar } from '../events/kinds.ts';
import { Procedures } from '../procedures/index.ts';
import type { Procedure } from '../procedures/procedure.ts';
import type { FakeCall } from './fake_call.ts';
import type { FakeClient } from './fake_client.ts';
import { FakeRefusal } from './refusal.ts';

type Entry = { readonly client: FakeClient; readonly key: string; readonly filter: Filter };
/** What the client asked the daemon to leave out; undefined takes all. */
type Filter = { readonly uuid: string | undefined };

type Wish = { readonly procedure: Procedure; readonly eventID: number | undefined };

const REGISTER = [
  Procedures.CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY,
  Procedures.CONNECT_NETWORK_EVENT_REGISTER_ANY,
  Procedures.CONNECT_STORAGE_POOL_EVENT_REGISTER_ANY,
  Procedures.CONNECT_NODE_DEVICE_EVENT_REGISTER_ANY,
  Procedures.CONNECT_SECRET_EVENT_REGISTER_ANY,
  Procedures.QEMU_CONNECT_DOMAIN_MONITOR_EVENT_REGISTER,
] as const;

const DEREGISTER = [
  Procedures.CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY,
  Procedures.CONNECT_NETWORK_EVENT_DEREGISTER_ANY,
  Procedures.CONNECT_STORAGE_POOL_EVENT_DEREGISTER_ANY,
  Procedures.CONNECT_NODE_DEVICE_EVENT_DEREGISTER_ANY,
  Procedures.CONNECT_SECRET_EVENT_DEREGISTER_ANY,
  Procedures.QEMU_CONNECT_DOMAIN_MONITOR_EVENT_DEREGISTER,
] as const;

type Script = (call: FakeCall) => object;

export class Registrations {
  readonly #entries = new Map<number, Entry>();
  /** Which registration goes with an event, by what the event's own definition asks of a daemon. */
  readonly #keys = new Map<EventName, string>();
  /** As in libvirtd, unique for the daemon and not for the connection. */
  #lastId = 0;

  constructor() {
    for (const name of eventNames) {
      const { procedure, eventID } = wishOf(name);
      this.#keys.set(name, keyOf(procedure, eventID));
    }
  }

  /** The scripts that answer (de)registering. */
  scripts(): [Procedure, Script][] {
    return [
      ...REGISTER.map((procedure): [Procedure, Script] => [procedure, (call) => this.#register(procedure, call)]),
      ...DEREGISTER.map((procedure): [Procedure, Script] => [procedure, (call) => this.#deregister(procedure, call)]),
      [
        Procedures.CONNECT_REGISTER_CLOSE_CALLBACK,
        ({ client }) => this.#add(client, Procedures.CONNECT_REGISTER_CLOSE_CALLBACK, undefined),
      ],
      [Procedures.CONNECT_UNREGISTER_CLOSE_CALLBACK, ({ client }) => this.#removeClose(client)],
    ];
  }

  /** The clients that want this event of this domain, and under which callbackID. */
  wanting(name: EventName, uuid: string | undefined): { readonly client: FakeClient; readonly callbackID: number }[] {
    const key = this.#keys.get(name);
    return [...this.#entries]
      .filter(([, entry]) => entry.key === key && (entry.filter.uuid ?? uuid) === uuid)
      .map(([callbackID, { client }]) => ({ client, callbackID }));
  }

  forget(client: FakeClient): void {
    for (const [id, entry] of this.#entries) if (entry.client === client) this.#entries.delete(id);
  }

  #register(procedure: (typeof REGISTER)[number], call: FakeCall): { readonly callbackID: number } {
    const args = call.args<object>(procedure);
    const eventID = 'eventID' in args && typeof args.eventID === 'number' ? args.eventID : undefined;
    const isKnown = [...this.#keys.values()].includes(keyOf(procedure, eventID));
    if (!isKnown) throw new FakeRefusal({ message: `internal error: unsupported event ID ${eventID}` });
    return this.#add(call.client, procedure, eventID, uuidIn(args));
  }

  #add(client: FakeClient, procedure: Procedure, eventID: number | undefined, uuid?: string): { callbackID: number } {
    this.#lastId += 1;
    this.#entries.set(this.#lastId, { client, key: keyOf(procedure, eventID), filter: { uuid } });
    return { callbackID: this.#lastId };
  }

  #deregister(procedure: (typeof DEREGISTER)[number], call: FakeCall): object {
    const { callbackID } = call.args(procedure);
    const entry = this.#entries.get(callbackID);
    if (entry?.client !== call.client)
      throw new FakeRefusal({ message: `internal error: event callback ${callbackID} not registered` });
    this.#entries.delete(callbackID);
    return {};
  }

  #removeClose(client: FakeClient): object {
    const key = keyOf(Procedures.CONNECT_REGISTER_CLOSE_CALLBACK, undefined);
    for (const [id, entry] of this.#entries) if (entry.client === client && entry.key === key) this.#entries.delete(id);
    return {};
  }
}

// Object.keys() forgets what the keys of a constant are.
// oxlint-disable-next-line typescript/no-unsafe-type-assertion
const eventNames = Object.keys(Events) as EventName[];

/** Lets the definition register with nobody, and looks at what it says. */
function wishOf(name: EventName): Wish {
  let wish: Wish | undefined;
  const listener: Registrar = {
    call: (procedure, args) => {
      const eventID = isObject(args) && 'eventID' in args ? Number(args.eventID) : undefined;
      wish = { procedure, eventID };
      return new Promise(() => undefined);
    },
  };
  void Events[name].register(listener, { domain: null, event: null, flags: 0 });
  if (wish === undefined) throw new Error(`${name} registers with no procedure`);
  return wish;
}

function keyOf({ program, number }: Procedure, eventID: number | undefined): string {
  return `${program}:${number}:${eventID ?? ''}`;
}

function uuidIn(args: object): string | undefined {
  if (!('domain' in args) || !isObject(args.domain) || !('uuid' in args.domain)) return undefined;
  return String(args.domain.uuid);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
