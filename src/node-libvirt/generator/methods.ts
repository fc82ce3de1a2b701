/** From the table's entries to the text of `calls/`: one class per group, one method per entry. Pure. */
import type { Entry, Method, TableProcedure } from '../procedures/procedure.ts';
import * as shapes from '../calls/shapes.ts';
import { isFixed, type Fields, type Type } from '../wire/xdr.ts';

/** A group of methods: those of the C functions that begin with the prefix. The first prefix that fits counts. */
export type Group = {
  readonly prefix: string;
  /** The property of the connection; the empty name is the connection itself. */
  readonly property: string;
  readonly className: string;
  readonly doc: string;
};

export const GROUPS: readonly Group[] = [
  group('virDomainSnapshot', 'domainSnapshot', 'Snapshots of domains.'),
  group('virDomainQemu', 'qemu', 'QEMU itself, past libvirt: its monitor and the guest agent.'),
  group('virDomain', 'domain', 'Domains.'),
  group('virConnect', '', 'The connection and what the host has.'),
  group('virNodeDevice', 'nodeDevice', 'Devices of the host.'),
  group('virNode', 'node', 'The host: CPUs, memory, pages.'),
  group('virNetwork', 'network', 'Virtual networks.'),
  group('virStoragePool', 'storagePool', 'Storage pools.'),
  group('virStorageVol', 'storageVol', 'Volumes of storage pools.'),
  group('virSecret', 'secret', 'Secrets: passphrases and keys that domains and pools use.'),
  group('virNWFilter', 'nwfilter', 'Network filters.'),
];

type Described = { readonly procedure: string; readonly entry: Entry; readonly method: Method; readonly name: string };

type Parameter = { readonly name: string; readonly type: Type<unknown> };

/** The file's name and its text, for each group that has entries; `format` is run over each text. */
export function renderCalls(procedures: Readonly<Record<string, TableProcedure>>): Map<string, string> {
  const files = new Map<string, string>();
  const filled = GROUPS.filter((one) => methodsOf(one, procedures).length > 0);
  for (const one of filled) files.set(fileOf(one), renderGroup(one, methodsOf(one, procedures)));
  files.set('libvirt_calls.ts', renderRoot(filled.filter(({ property }) => property !== '')));
  return files;
}

/** What a C function is called here: `domain.getInfo`, `getLibVersion`. */
export function methodName(c: string): { readonly group: Group; readonly name: string } {
  const found = GROUPS.find(({ prefix }) => c.startsWith(prefix));
  if (found === undefined) throw new Error(`no group for ${c}`);
  return { group: found, name: decapitalise(c.slice(found.prefix.length)) };
}

function group(prefix: string, property: string, doc: string): Group {
  return { prefix, property, className: `${prefix.slice('vir'.length)}Calls`, doc };
}

function fileOf({ className }: Group): string {
  return `${className.replaceAll(/(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])/g, '_').toLowerCase()}.ts`;
}

/** GetXMLDesc is getXMLDesc, FSFreeze is fsFreeze: capitals in a row fall together, but for the next word's first. */
function decapitalise(name: string): string {
  return name.replace(/^[A-Z]+(?![a-z])|^[A-Z]/, (capitals) => capitals.toLowerCase());
}

function methodsOf(one: Group, procedures: Readonly<Record<string, TableProcedure>>): Described[] {
  return Object.entries(procedures).flatMap(([procedure, { entry }]) => {
    if (entry.method === undefined) return [];
    const { group: its, name } = methodName(entry.method.c);
    return its === one ? [{ procedure, entry, method: entry.method, name }] : [];
  });
}

function renderGroup(one: Group, methods: readonly Described[]): string {
  const isRoot = one.property === '';
  const body = `
${methods.flatMap(renderResultType).join('\n')}
/** ${one.doc} */
export ${isRoot ? 'abstract ' : ''}class ${one.className} {
${isRoot ? rootHead() : groupHead()}
${methods.map((method) => renderMethod(method, isRoot ? 'this' : 'this.#caller')).join('\n\n')}
}
`;
  return `${HEADER}${renderImports(body)}\n${body}`;
}

function rootHead(): string {
  return `  abstract call<A, R>(procedure: Procedure<A, R>, args: A, options?: CallOptions): Promise<R>;
  abstract openStream<A, R>(procedure: Procedure<A, R>, args: A, options?: CallOptions): Promise<Opened<R>>;
`;
}

function groupHead(): string {
  return `  readonly #caller: Caller;

  constructor(caller: Caller) {
    this.#caller = caller;
  }
`;
}

function renderRoot(groups: readonly Group[]): string {
  const body = `
/** Every method of the table: those of virConnect itself, the others by group. */
export abstract class LibvirtCalls extends ConnectCalls {
${groups.map(({ property, className, doc }) => `  /** ${doc} */\n  readonly ${property} = new ${className}(this);`).join('\n')}
}
`;
  const imports = groups.map((one) => `import { ${one.className} } from './${fileOf(one)}';`);
  return `${HEADER}import { ConnectCalls } from './connect_calls.ts';\n${imports.join('\n')}\n${body}`;
}

function renderResultType({ entry, method }: Described): string[] {
  const fields = Object.entries(entry.result ?? {}).filter(([, type]) => !isFixed(type));
  if (method.shape !== undefined || fields.length < 2) return [];
  if (method.returns === undefined) throw new Error(`${method.c} has several results and no name for them`);
  const lines = fields.map(([name, type]) => `${seeAlso(type)}  readonly ${name}: ${type.ts};`);
  return [`/** ${method.c} */\nexport type ${method.returns} = {\n${lines.join('\n')}\n};\n`];
}

function seeAlso({ refers }: Type<unknown>): string {
  return refers === undefined ? '' : `  /** See {@link ${refers}}. */\n`;
}

function renderMethod(described: Described, caller: string): string {
  const { procedure, entry, method, name } = described;
  const parameters = parametersOf(entry.args ?? {}, method.countFirst);
  const { type, expression } = resultOf(described);
  const args = `{ ${parameters.map((parameter) => parameter.name).join(', ')} }`;
  const readsArgs = expression?.includes(', args)') ?? false;
  const call = callOf(described, caller, readsArgs ? 'args' : args);
  const body = [
    ...(readsArgs ? [`const args = ${args};`] : []),
    ...(expression === undefined
      ? [`${type === 'void' ? 'await' : 'return'} ${call};`]
      : [`const result = await ${call};`, `return ${expression};`]),
  ].join('\n');
  return `${renderDoc(procedure, entry, method, parameters)}
  async ${name}(${[...parameters.map(renderParameter), 'options?: CallOptions'].join(', ')}): Promise<${type}> {
${body}
  }`;
}

function callOf({ procedure, entry, method }: Described, caller: string, args: string): string {
  if (entry.stream !== undefined) return `${caller}.openStream(Procedures.${procedure}, ${args}, options)`;
  if (method.countFirst === undefined) return `${caller}.call(Procedures.${procedure}, ${args}, options)`;
  const counted = args.replace(/ }$/, `, ${method.countFirst} }`);
  return `countedCall(${caller}, Procedures.${procedure}, (${method.countFirst}) => (${counted}), options)`;
}

const STREAM_TYPES = { read: 'Readable', write: 'Writable', duplex: 'Duplex' } as const;

/** The method's type and, where the reply is not it already, what makes it of `result`. */
function resultOf({ entry, method }: Described): { type: string; expression?: string } {
  const visible = Object.entries(entry.result ?? {}).filter(([, type]) => !isFixed(type));
  const [first, ...others] = visible;
  if (entry.stream !== undefined) {
    const stream = STREAM_TYPES[entry.stream];
    if (first === undefined) return { type: stream, expression: 'result.stream' };
    const fields = visible.map(([name, { ts }]) => `readonly ${name}: ${ts}`).join('; ');
    const type = `{ ${fields}; readonly stream: ${stream} }`;
    return { type, expression: '{ ...result.result, stream: result.stream }' };
  }
  if (method.shape !== undefined) {
    if (method.returns === undefined) throw new Error(`${method.c} has a shape and no type`);
    return { type: method.returns, expression: shapeCall(method.shape) };
  }
  if (first === undefined) return { type: 'void' };
  if (others.length === 0) return { type: first[1].ts, expression: `result.${first[0]}` };
  return { type: method.returns ?? 'never' };
}

/** With the arguments where the function takes them. */
function shapeCall(name: string): string {
  const shape: unknown = Object.entries(shapes).find(([exported]) => exported === name)?.[1];
  if (typeof shape !== 'function') throw new Error(`calls/shapes.ts has no ${name}`);
  return shape.length > 1 ? `${name}(result, args)` : `${name}(result)`;
}

function parametersOf(fields: Fields, countFirst: string | undefined): Parameter[] {
  return Object.entries(fields)
    .filter(([name, type]) => !isFixed(type) && name !== countFirst)
    .map(([name, type]) => ({ name, type }));
}

/** Parameters may be left out from the end: one with a default is optional where all that follow are. */
function renderParameter({ name, type }: Parameter, index: number, all: readonly Parameter[]): string {
  const isOptional = all.slice(index).every((parameter) => parameter.type.fallback !== undefined);
  return isOptional ? `${name}: ${type.ts} = ${JSON.stringify(type.fallback)}` : `${name}: ${type.ts}`;
}

function renderDoc(procedure: string, entry: Entry, method: Method, parameters: readonly Parameter[]): string {
  const since = entry.since === undefined ? '' : `, libvirt ${entry.since} or later`;
  const lines = [
    ...wrap(method.doc),
    ...wrap(`${method.c}, ${procedure}${since}.`),
    ...parameters.flatMap(({ name, type }) =>
      type.refers === undefined ? [] : [`@param ${name} See {@link ${type.refers}}.`],
    ),
    ...renderReturns(entry, method),
    ...Object.entries(method.throws ?? {}).flatMap(([code, why]) => wrap(`@throws {LibvirtError} ${code}: ${why}.`)),
  ];
  return `  /**\n${lines.map((line) => `   * ${line}`).join('\n')}\n   */`;
}

/** What a single number is; several have their docs in the type. */
function renderReturns(entry: Entry, method: Method): string[] {
  const visible = Object.values(entry.result ?? {}).filter((type) => !isFixed(type));
  const refers = visible.length === 1 && method.shape === undefined ? visible[0]?.refers : undefined;
  return refers === undefined ? [] : [`@returns See {@link ${refers}}.`];
}

const LINE_WIDTH = 112;

function wrap(text: string): string[] {
  const lines: string[] = [''];
  for (const word of text.split(/\s+/)) {
    const line = lines.at(-1) ?? '';
    if (line.length + word.length + 1 > LINE_WIDTH) lines.push(word);
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  return lines;
}

/** A file per group however long it gets: nobody reads them top to bottom. */
const HEADER = `// Written by \`npm run generate -w node-libvirt\` from the entries of procedures/. Do not edit.
// oxlint-disable max-lines
`;

/** Where the names come from that the text may use; docstrings link to constants, so these are imported as types. */
const SOURCES: readonly { readonly from: string; readonly names: readonly string[]; readonly isType: boolean }[] = [
  { from: 'node:stream', names: ['Duplex', 'Readable', 'Writable'], isType: true },
  { from: '../procedures/index.ts', names: ['Procedures'], isType: false },
  { from: '../procedures/procedure.ts', names: ['Procedure'], isType: true },
  { from: '../session/pending_call.ts', names: ['CallOptions'], isType: true },
  {
    from: '../wire/objects.ts',
    names: ['Domain', 'Network', 'StoragePool', 'StorageVol', 'Secret', 'NWFilter', 'NodeDevice', 'DomainSnapshot'],
    isType: true,
  },
  { from: '../wire/typed_params.ts', names: ['TypedParam', 'TypedParamRecord'], isType: true },
  { from: './caller.ts', names: ['Caller', 'Opened'], isType: true },
  { from: './caller.ts', names: ['countedCall'], isType: false },
];

function renderImports(body: string): string {
  const code = body.replaceAll(/\/\*\*[\s\S]*?\*\//g, '');
  const imports = SOURCES.flatMap(({ from, names, isType }) => {
    const used = names.filter((name) => new RegExp(`(?<![\\w.'])${name}\\b(?!Calls)`).test(code));
    return used.length === 0 ? [] : [`import ${isType ? 'type ' : ''}{ ${used.join(', ')} } from '${from}';`];
  });
  const functions = [...new Set([...code.matchAll(/return (\w+)\(result[,)]/g)].map(([, name = '']) => name))];
  return [...imports, ...renderShapeImports(code, functions)].join('\n');
}

function renderShapeImports(code: string, functions: readonly string[]): string[] {
  const types = SHAPE_TYPES.filter((name) => new RegExp(`\\b${name}\\b`).test(code)).map((name) => `type ${name}`);
  const names = [...functions, ...types];
  return names.length === 0 ? [] : [`import { ${names.join(', ')} } from './shapes.ts';`];
}

/** The types that calls/shapes.ts has. */
const SHAPE_TYPES: readonly string[] = [
  'DomainBlockJobInfo',
  'DomainJobStats',
  'DomainMemoryStats',
  'DomainStatsRecord',
  'DomainVcpu',
];
