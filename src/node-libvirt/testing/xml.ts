/**
 * A small XML reader for the documents that people hand to libvirt: elements, attributes, text, comments, CDATA, the five
 * entities and character references. What it does not know (DOCTYPE, other entities) it refuses rather than guess.
 */
export type XmlElement = {
  readonly name: string;
  readonly attributes: Map<string, string>;
  readonly children: (XmlElement | string)[];
};

export class XmlError extends Error {
  override readonly name = 'XmlError';
  readonly line: number;

  constructor(message: string, line: number) {
    super(message);
    this.line = line;
  }
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };
const NAME_END = new Set(' \t\r\n/>=<"\'');
const SPACE = new Set(' \t\r\n');
/** Deeper than any domain, shallower than the stack. */
const DEPTH_MAX = 256;

/** @throws {XmlError} where the text is not one well-formed element. */
export function parseXml(text: string): XmlElement {
  return new XmlReader(text).document();
}

export function renderXml({ name, attributes, children }: XmlElement): string {
  const written = [...attributes].map(([key, value]) => ` ${key}="${escapeXml(value)}"`).join('');
  if (children.length === 0) return `<${name}${written}/>`;
  const content = children.map((child) => (typeof child === 'string' ? escapeXml(child) : renderXml(child)));
  return `<${name}${written}>${content.join('')}</${name}>`;
}

export function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

export function element(
  name: string,
  attributes: Readonly<Record<string, string>> = {},
  children: (XmlElement | string)[] = [],
): XmlElement {
  return { name, attributes: new Map(Object.entries(attributes)), children };
}

/** The first child of a name, or of a path of names. */
export function childOf(parent: XmlElement | undefined, ...path: readonly string[]): XmlElement | undefined {
  let found = parent;
  for (const name of path) found = found === undefined ? undefined : childrenOf(found, name)[0];
  return found;
}

export function childrenOf(parent: XmlElement | undefined, name: string): XmlElement[] {
  if (parent === undefined) return [];
  return parent.children.filter((child): child is XmlElement => typeof child !== 'string' && child.name === name);
}

/** The text in an element, without what its children hold. */
export function textOf(one: XmlElement): string {
  return one.children
    .filter((child) => typeof child === 'string')
    .join('')
    .trim();
}

class XmlReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): XmlElement {
    this.#skipMisc();
    if (!this.#sees('<')) this.#fail("Start tag expected, '<' not found");
    const root = this.#element(0);
    this.#skipMisc();
    if (this.#at < this.#text.length) this.#fail('Extra content at the end of the document');
    return root;
  }

  #element(depth: number): XmlElement {
    if (depth > DEPTH_MAX) this.#fail(`more than ${DEPTH_MAX} elements within each other`);
    this.#expect('<');
    const name = this.#name();
    const attributes = this.#attributes(name);
    if (this.#take('/>')) return { name, attributes, children: [] };
    this.#expect('>');
    return { name, attributes, children: this.#content(name, depth) };
  }

  #attributes(tag: string): Map<string, string> {
    const attributes = new Map<string, string>();
    for (;;) {
      const before = this.#at;
      this.#skipSpace();
      if (this.#sees('>') || this.#sees('/>')) return attributes;
      if (this.#at === before) this.#fail(`attributes of ${tag} must be set apart`);
      const name = this.#name();
      this.#skipSpace();
      this.#expect('=');
      this.#skipSpace();
      if (attributes.has(name)) this.#fail(`Attribute ${name} redefined`);
      attributes.set(name, this.#quoted());
    }
  }

  #content(name: string, depth: number): (XmlElement | string)[] {
    const children: (XmlElement | string)[] = [];
    for (;;) {
      const text = this.#until('<');
      if (text !== '') children.push(this.#decoded(text));
      if (this.#take('</')) {
        const end = this.#name();
        this.#skipSpace();
        this.#expect('>');
        if (end !== name) this.#fail(`Opening and ending tag mismatch: ${name} and ${end}`);
        return children;
      }
      if (this.#take('<!--')) this.#skipPast('-->');
      else if (this.#take('<![CDATA[')) children.push(this.#skipPast(']]>'));
      else if (this.#take('<?')) this.#skipPast('?>');
      else children.push(this.#element(depth + 1));
    }
  }

  /** What may stand around the root element. */
  #skipMisc(): void {
    for (;;) {
      this.#skipSpace();
      if (this.#take('<!--')) this.#skipPast('-->');
      else if (this.#take('<?')) this.#skipPast('?>');
      else return;
    }
  }

  #name(): string {
    const start = this.#at;
    while (this.#at < this.#text.length && !NAME_END.has(this.#text.charAt(this.#at))) this.#at += 1;
    const name = this.#text.slice(start, this.#at);
    if (name === '' || name.startsWith('!'))
      this.#fail(`a name expected, not «${this.#text.slice(start, start + 10)}»`);
    return name;
  }

  #quoted(): string {
    const quote = this.#text.charAt(this.#at);
    if (quote !== '"' && quote !== "'") this.#fail('AttValue: " or \' expected');
    this.#at += 1;
    const value = this.#until(quote);
    this.#at += 1;
    if (value.includes('<')) this.#fail("Unescaped '<' not allowed in attributes values");
    return this.#decoded(value);
  }

  #decoded(text: string): string {
    const [first = '', ...others] = text.split('&');
    return first + others.map((part) => this.#reference(part)).join('');
  }

  #reference(part: string): string {
    const end = part.indexOf(';');
    const name = part.slice(0, Math.max(end, 0));
    const rest = part.slice(end + 1);
    if (name.startsWith('#')) {
      const digits = name.startsWith('#x') ? `0x${name.slice(2)}` : name.slice(1);
      const code = Number(digits);
      if (digits !== '' && Number.isInteger(code) && code > 0 && code <= 0x10ffff)
        return String.fromCodePoint(code) + rest;
    }
    const known = Object.hasOwn(ENTITIES, name) ? ENTITIES[name] : undefined;
    if (known === undefined) this.#fail(`Entity '${name}' not defined`);
    return known + rest;
  }

  /** The text up to the next `mark`, which must be there. */
  #until(mark: string): string {
    const end = this.#text.indexOf(mark, this.#at);
    if (end === -1) this.#fail('Premature end of data');
    const text = this.#text.slice(this.#at, end);
    this.#at = end;
    return text;
  }

  #skipPast(mark: string): string {
    const text = this.#until(mark);
    this.#at += mark.length;
    return text;
  }

  #skipSpace(): void {
    while (SPACE.has(this.#text.charAt(this.#at))) this.#at += 1;
  }

  #sees(mark: string): boolean {
    return this.#text.startsWith(mark, this.#at);
  }

  #take(mark: string): boolean {
    if (!this.#sees(mark)) return false;
    this.#at += mark.length;
    return true;
  }

  #expect(mark: string): void {
    if (!this.#take(mark)) this.#fail(`'${mark}' expected`);
  }

  #fail(message: string): never {
    throw new XmlError(message, this.#text.slice(0, this.#at).split('\n').length);
  }
}
