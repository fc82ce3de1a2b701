/**
 * Makes up bytes: a reader that invents whatever a layout asks for and writes it down as it would have come. So each
 * layout of the table describes its own valid packets, and a new one is fuzzed without a word here. Fast and seeded,
 * for the fuzzer; the property tests draw with fast-check, see drawing_reader.ts.
 */
import { ProtocolError } from '../../src/node-libvirt/errors.ts';
import { Reader, Writer, type Type } from '../../src/node-libvirt/wire/xdr.ts';

const TEXTS = ['', 'guest', 'balloon.current', 'Ünïcödé «☃»', '<domain/>', 'x'.repeat(100), '__proto__'];
/** Layouts refuse some of what is made up, as a tag of 9; most of them have something valid within a few attempts. */
const ATTEMPTS = 1000;

/** The bytes of a valid value. */
export function inventBytes<T>(type: Type<T>, random: () => number): Buffer {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const reader = new InventingReader(random);
    try {
      type.decode(reader);
      return reader.invented();
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
    }
  }
  throw new Error(`nothing valid in ${ATTEMPTS} attempts for ${type.ts}`);
}

class InventingReader extends Reader {
  readonly #writer = new Writer();
  readonly #random: () => number;

  constructor(random: () => number) {
    super(Buffer.alloc(0));
    this.#random = random;
  }

  invented(): Buffer {
    return this.#writer.take();
  }

  override get remaining(): number {
    return Number.POSITIVE_INFINITY;
  }

  /** Often a count, a tag or an optional's 0 or 1: mostly small. */
  override uint32(): number {
    const value = this.#random() < 0.97 ? this.#below(3) : this.#below(2 ** 32);
    this.#writer.uint32(value);
    return value;
  }

  override int32(): number {
    const value = this.#random() < 0.9 ? this.#below(8) : this.#below(2 ** 32) | 0;
    this.#writer.uint32(value);
    return value;
  }

  override int64(): bigint {
    return BigInt.asIntN(64, this.uint64());
  }

  override uint64(): bigint {
    const value = this.#random() < 0.8 ? BigInt(this.#below(2 ** 40)) : 2n ** 64n - 1n - BigInt(this.#below(10));
    this.#writer.uint64(value);
    return value;
  }

  override safeInteger(isSigned: boolean): number {
    const value = isSigned && this.#random() < 0.2 ? -this.#below(2 ** 40) : this.#below(2 ** 53);
    this.#writer.uint64(BigInt(value));
    return value;
  }

  override double(): number {
    const value = this.#random() * 1e6;
    this.#writer.double(value);
    return value;
  }

  override wideBytes(count: number): Buffer {
    const bytes = Buffer.alloc(count);
    for (let at = 0; at < count; at += 1) {
      // Short texts: a byte of zero is their end.
      bytes[at] = at < 6 && at < count - 1 ? 97 + this.#below(26) : 0;
      this.#writer.uint32(bytes[at] ?? 0);
    }
    return bytes;
  }

  override counted(max: number): Buffer {
    const bytes = Buffer.from(this.#text()).subarray(0, max);
    this.#writer.uint32(bytes.length);
    this.#writer.padded(bytes);
    return Buffer.from(bytes);
  }

  override text(): string {
    const text = this.#text();
    this.#writer.text(text);
    return text;
  }

  override uuid(): string {
    const uuid = `6695eb01-f6a4-8304-79aa-${this.#below(2 ** 48)
      .toString(16)
      .padStart(12, '0')}`;
    this.#writer.uuid(uuid);
    return uuid;
  }

  #text(): string {
    return TEXTS[this.#below(TEXTS.length)] ?? '';
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }
}
