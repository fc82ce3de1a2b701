/**
 * The procedures of libvirt's remote program as data: number, layout of arguments and result, priority. One entry adds
 * one procedure. Names and numbers are libvirt's (remote_procedure minus REMOTE_PROC_); layouts are those of the
 * remote_*_args and remote_*_ret structures, which never change once released (docs/support.rst, «RPC protocol»).
 */
import { typedParams } from './typed_params.ts';
import {
  chars,
  flags,
  int,
  list,
  optional,
  string,
  struct,
  uhyper,
  uint,
  uuid,
  type Fields,
  type Infer,
  type Type,
  type Values,
} from './xdr.ts';

export type Procedure<Args = unknown, Result = unknown> = {
  readonly name: string;
  readonly program: number;
  readonly version: number;
  readonly number: number;
  readonly args: Type<Args>;
  readonly result: Type<Result>;
  /** libvirtd runs these also when all its ordinary workers are stuck; our queue lets them pass too. */
  readonly isPriority: boolean;
  /** The libvirt release known to have it; it may be older. */
  readonly since: string;
};

/** Something the daemon says unasked. */
export type Message<Body = unknown> = {
  readonly name: string;
  readonly program: number;
  readonly version: number;
  readonly number: number;
  readonly body: Type<Body>;
};

export const REMOTE_PROGRAM = 0x20008086;
export const REMOTE_VERSION = 1;

/** A procedure of the remote program; use it for one that the table below does not have. */
export function remoteProcedure<A extends Fields, R extends Fields>(
  name: string,
  number: number,
  args: A,
  result: R,
  options: { readonly isPriority?: boolean; readonly since?: string } = {},
): Procedure<Values<A>, Values<R>> {
  // Every number up to 422 is in 6.0.0 (2020), the oldest release this table was compared with.
  const { isPriority = false, since = '6.0.0' } = options;
  const layouts = { args: struct(args), result: struct(result) };
  return { name, program: REMOTE_PROGRAM, version: REMOTE_VERSION, number, ...layouts, isPriority, since };
}

/** remote_nonnull_domain: plain data, looked up by uuid; id is -1 while the domain does not run. */
export const domain = struct({ name: string, uuid, id: int });
export type Domain = Infer<typeof domain>;

const DOMAIN_LIST_MAX = 16_384;
const NODE_MAX_CELLS = 1024;
const DOMAIN_MEMORY_STATS_MAX = 1024;
const ALL_DOMAIN_STATS_MAX = 262_144;
const AUTH_TYPE_LIST_MAX = 20;

const text = optional(string);
const domains = list(domain, DOMAIN_LIST_MAX);
const domainRecord = struct({ dom: domain, params: typedParams(ALL_DOMAIN_STATS_MAX) });
const memoryStat = struct({ tag: int, val: uhyper });
const onDomain = { dom: domain };
const onDomainWithFlags = { dom: domain, flags };
const xmlWithFlags = { xml: string, flags };
const aDomain = { dom: domain };
const none = {};

const entry =
  <A extends Fields, R extends Fields>(number: number, args: A, result: R, isPriority: boolean) =>
  (name: string) =>
    remoteProcedure(name, number, args, result, { isPriority });
const high = <A extends Fields, R extends Fields>(number: number, args: A, result: R) =>
  entry(number, args, result, true);
const low = <A extends Fields, R extends Fields>(number: number, args: A, result: R) =>
  entry(number, args, result, false);

export const Procedures = named({
  AUTH_LIST: high(66, none, { types: list(int, AUTH_TYPE_LIST_MAX) }),
  AUTH_POLKIT: high(70, none, { complete: int }),

  CONNECT_OPEN: high(1, { name: text, flags }, none),
  CONNECT_CLOSE: high(2, none, none),
  CONNECT_SUPPORTS_FEATURE: high(60, { feature: int }, { supported: int }),
  CONNECT_GET_TYPE: high(3, none, { type: string }),
  CONNECT_GET_VERSION: high(4, none, { version: uhyper }),
  CONNECT_GET_LIB_VERSION: high(157, none, { version: uhyper }),
  CONNECT_GET_HOSTNAME: high(59, none, { hostname: string }),
  CONNECT_GET_URI: high(110, none, { uri: string }),
  CONNECT_GET_CAPABILITIES: low(7, none, { capabilities: string }),
  CONNECT_GET_DOMAIN_CAPABILITIES: low(
    342,
    { emulatorbin: text, arch: text, machine: text, virttype: text, flags },
    { capabilities: string },
  ),

  NODE_GET_INFO: high(6, none, {
    model: chars(32),
    memory: uhyper,
    cpus: int,
    mhz: int,
    nodes: int,
    sockets: int,
    cores: int,
    threads: int,
  }),
  NODE_GET_FREE_PAGES: high(
    340,
    { pages: list(uint, NODE_MAX_CELLS), startCell: int, cellCount: uint, flags },
    { counts: list(uhyper, NODE_MAX_CELLS) },
  ),
  NODE_GET_CELLS_FREE_MEMORY: high(101, { startCell: int, maxcells: int }, { cells: list(uhyper, NODE_MAX_CELLS) }),

  CONNECT_LIST_ALL_DOMAINS: high(273, { needResults: int, flags }, { domains, count: uint }),
  DOMAIN_LOOKUP_BY_UUID: high(24, { uuid }, aDomain),
  DOMAIN_LOOKUP_BY_NAME: high(23, { name: string }, aDomain),
  DOMAIN_DEFINE_XML_FLAGS: high(350, xmlWithFlags, aDomain),
  DOMAIN_CREATE_XML: low(10, xmlWithFlags, aDomain),
  DOMAIN_CREATE_WITH_FLAGS: low(196, onDomainWithFlags, aDomain),
  DOMAIN_DESTROY_FLAGS: high(234, onDomainWithFlags, none),
  DOMAIN_UNDEFINE_FLAGS: high(231, onDomainWithFlags, none),
  DOMAIN_SHUTDOWN_FLAGS: low(258, onDomainWithFlags, none),
  DOMAIN_SUSPEND: low(34, onDomain, none),
  DOMAIN_RESUME: low(28, onDomain, none),
  DOMAIN_GET_XML_DESC: low(14, onDomainWithFlags, { xml: string }),
  // state is a char and nrVirtCpu a short: both travel as four bytes.
  DOMAIN_GET_INFO: low(16, onDomain, { state: uint, maxMem: uhyper, memory: uhyper, nrVirtCpu: uint, cpuTime: uhyper }),
  DOMAIN_GET_STATE: high(212, onDomainWithFlags, { state: int, reason: int }),
  DOMAIN_SET_METADATA: low(264, { dom: domain, type: int, metadata: text, key: text, uri: text, flags }, none),
  DOMAIN_GET_METADATA: low(265, { dom: domain, type: int, uri: text, flags }, { metadata: string }),

  CONNECT_GET_ALL_DOMAIN_STATS: low(
    344,
    { doms: domains, stats: uint, flags },
    { records: list(domainRecord, DOMAIN_LIST_MAX) },
  ),
  DOMAIN_MEMORY_STATS: low(
    159,
    { dom: domain, maxStats: uint, flags },
    { stats: list(memoryStat, DOMAIN_MEMORY_STATS_MAX) },
  ),
  DOMAIN_SET_MEMORY_STATS_PERIOD: low(308, { dom: domain, period: int, flags }, none),

  CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY: low(316, { eventID: int, dom: optional(domain) }, { callbackID: int }),
  CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY: low(317, { callbackID: int }, none),
});

/** Events; all start with the callbackID that registering gave. */
export const Messages = {
  DOMAIN_EVENT_CALLBACK_LIFECYCLE: {
    name: 'DOMAIN_EVENT_CALLBACK_LIFECYCLE',
    program: REMOTE_PROGRAM,
    version: REMOTE_VERSION,
    number: 318,
    body: struct({ callbackID: int, dom: domain, event: int, detail: int }),
  },
} as const satisfies Record<string, Message>;

/** The keepalive program (virkeepaliveprotocol.x): messages without body or serial, both ways. */
export const KeepaliveProgram = { program: 0x6b656570, version: 1, PING: 1, PONG: 2 } as const;

function named<E extends Record<string, (name: string) => Procedure>>(
  entries: E,
): { readonly [K in keyof E]: ReturnType<E[K]> } {
  const procedures = Object.entries(entries).map(([name, make]) => [name, make(name)] as const);
  // The keys are those of E and each value is what its own maker made.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return Object.freeze(Object.fromEntries(procedures)) as { readonly [K in keyof E]: ReturnType<E[K]> };
}
