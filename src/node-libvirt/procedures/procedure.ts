/**
 * What a procedure is, and how a table of them is written. One entry is one procedure: its number, the layout of its
 * arguments and result, and what its method is called and says. From the entries the types of `call` follow by
 * inference, and the methods of `calls/` by the generator (`npm run generate -w node-libvirt`).
 *
 * Names and numbers are libvirt's (remote_procedure minus REMOTE_PROC_), layouts those of the remote_*_args and
 * remote_*_ret structures, which never change once released (docs/support.rst, «RPC protocol»). Field names are ours:
 * they are the parameters of the methods and tell the unit.
 */
import type { ErrorCode } from '../error_codes.ts';
import { struct, type Fields, type Type, type Values } from '../wire/xdr.ts';

export type Procedure<Args = unknown, Result = unknown> = {
  readonly name: string;
  readonly program: number;
  readonly version: number;
  readonly number: number;
  readonly args: Type<Args>;
  readonly result: Type<Result>;
  /** libvirtd serves these even when all of its ordinary workers are stuck; our queue lets them pass too. */
  readonly isPriority: boolean;
  /** The libvirt release known to have it; it may be older. */
  readonly since: string;
  /** Data that follows the reply, seen from here. */
  readonly stream?: StreamDirection;
};

export type StreamDirection = 'read' | 'write' | 'duplex';

/** Something the daemon says unasked. */
export type Message<Body = unknown> = {
  readonly name: string;
  readonly program: number;
  readonly version: number;
  readonly number: number;
  readonly body: Type<Body>;
};

export const REMOTE_PROGRAM = 0x20008086;
export const QEMU_PROGRAM = 0x20008087;
/** Of both programs. */
export const PROGRAM_VERSION = 1;
/** The keepalive program (virkeepaliveprotocol.x): messages without body or serial, both ways. */
export const KeepaliveProgram = { program: 0x6b656570, version: 1, PING: 1, PONG: 2 } as const;

/** Every number up to 422 of the remote program is in 6.0.0 (2020), the oldest release this table was compared with. */
export const OLDEST = '6.0.0';

export type Entry = {
  readonly number: number;
  /** In the order of the wire; none where left out. */
  readonly args?: Fields;
  readonly result?: Fields;
  /** libvirt marks it as high priority (`@priority: high`). */
  readonly isPriority?: true;
  readonly since?: string;
  readonly stream?: StreamDirection;
  /** Absent: there is no method, because connecting or subscribing calls it. */
  readonly method?: Method;
};

export type Method = {
  /** The C function; group and name of the method follow from it: virDomainGetInfo is `domain.getInfo`. */
  readonly c: string;
  /** One or two sentences, with units. */
  readonly doc: string;
  /** Refusals worth knowing, beside those that every call has (NO_DOMAIN for a domain that does not exist). */
  readonly throws?: { readonly [Code in keyof typeof ErrorCode]?: string };
  /** How the type of a result with several fields is called. */
  readonly returns?: string;
  /** A function of calls/shapes.ts that makes something handier of the result: (result, args) => `returns`. */
  readonly shape?: string;
  /** The argument that says how many values may come: asked first with 0, as libvirt wants it. */
  readonly countFirst?: string;
};

// {} is what a procedure without arguments takes.
// oxlint-disable-next-line typescript/no-generated-empty-object-type
type NoFields = Readonly<Record<never, Type<unknown>>>;
type ArgsOf<E extends Entry> = Values<E['args'] extends Fields ? E['args'] : NoFields>;
type ResultOf<E extends Entry> = Values<E['result'] extends Fields ? E['result'] : NoFields>;

/** A procedure as the table has it: also callable by name, also with its method's description. */
export type TableProcedure<E extends Entry = Entry> = Procedure<ArgsOf<E>, ResultOf<E>> & { readonly entry: E };

/** Entries of the remote program. */
export function remote<const E extends Record<string, Entry>>(
  entries: E,
): { readonly [K in keyof E]: TableProcedure<E[K]> } {
  return table(REMOTE_PROGRAM, entries);
}

/** Entries of the QEMU program. */
export function qemu<const E extends Record<string, Entry>>(
  entries: E,
): { readonly [K in keyof E]: TableProcedure<E[K]> } {
  return table(QEMU_PROGRAM, entries);
}

export type OwnProcedureOptions = {
  readonly isPriority?: boolean;
  readonly since?: string;
  /** Default is the remote program; 0x20008087 is QEMU's. */
  readonly program?: number;
  /** For openStream. */
  readonly stream?: StreamDirection;
};

/**
 * A procedure of the remote program; use it for one that the table does not have.
 * @example remoteProcedure('DOMAIN_MIGRATE_GET_MAX_DOWNTIME', 414, { domain, flags: xdr.flags }, { downtimeMs: xdr.hyperNumber })
 */
export function remoteProcedure<A extends Fields, R extends Fields>(
  name: string,
  number: number,
  args: A,
  result: R,
  options: OwnProcedureOptions = {},
): Procedure<Values<A>, Values<R>> {
  const { isPriority = false, since = OLDEST, program = REMOTE_PROGRAM, stream } = options;
  const layouts = { args: struct(args), result: struct(result) };
  const procedure = { name, program, version: PROGRAM_VERSION, number, ...layouts, isPriority, since };
  return stream === undefined ? procedure : { ...procedure, stream };
}

function table<E extends Record<string, Entry>>(
  program: number,
  entries: E,
): { readonly [K in keyof E]: TableProcedure<E[K]> } {
  const procedures = Object.entries(entries).map(([name, entry]) => [name, fromEntry(name, program, entry)] as const);
  // The keys are those of E and each value was made of its own entry.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return Object.freeze(Object.fromEntries(procedures)) as { readonly [K in keyof E]: TableProcedure<E[K]> };
}

function fromEntry(name: string, program: number, entry: Entry): Procedure & { readonly entry: Entry } {
  const { number, args = {}, result = {}, isPriority = false, since = OLDEST, stream } = entry;
  const head = { name, program, version: PROGRAM_VERSION, number, isPriority, since, entry };
  const layouts = { args: struct(args), result: struct(result) };
  return stream === undefined ? { ...head, ...layouts } : { ...head, ...layouts, stream };
}
