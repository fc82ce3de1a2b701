/**
 * A reader that reads nothing: it draws whatever the decoder asks for. So a layout itself says what its values are, and
 * none of the table has to be repeated for its tests.
 */
import {
  bigInt,
  double,
  integer,
  maxSafeInteger,
  maxSafeNat,
  nat,
  oneof,
  string,
  uint8Array,
  uuid,
  type Arbitrary,
  type GeneratorValue,
} from 'fast-check';
import { ProtocolError } from '../../src/node-libvirt/errors.ts';
import { Reader, type Type } from '../../src/node-libvirt/wire/xdr.ts';

// A word may become a count, a tag, an optional's 0 or 1: mostly numbers that can, sometimes any.
const word = oneof(
  { arbitrary: nat(2), weight: 9 },
  { arbitrary: integer({ min: 2 ** 30, max: 2 ** 32 - 1 }), weight: 1 },
);
const signed = oneof({ arbitrary: integer({ min: 1, max: 7 }), weight: 4 }, { arbitrary: integer(), weight: 1 });
const text = string({ unit: 'binary', maxLength: 6 }).filter((value) => !value.includes('\0'));
const someBytes = uint8Array({ maxLength: 9 });

/** A value of the type; undefined where what was drawn is none, as a list of 2^31 elements. */
export function draw<T>(type: Type<T>, generator: GeneratorValue): T | undefined {
  try {
    return type.decode(new DrawingReader(generator));
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}

class DrawingReader extends Reader {
  readonly #draw: <T>(arbitrary: Arbitrary<T>) => T;

  constructor(generator: GeneratorValue) {
    super(Buffer.alloc(0));
    this.#draw = (arbitrary) => generator(() => arbitrary);
  }

  override get remaining(): number {
    return Number.POSITIVE_INFINITY;
  }

  override uint32(): number {
    return this.#draw(word);
  }

  override int32(): number {
    return this.#draw(signed);
  }

  override int64(): bigint {
    return this.#draw(bigInt(-(2n ** 63n), 2n ** 63n - 1n));
  }

  override uint64(): bigint {
    return this.#draw(bigInt(0n, 2n ** 64n - 1n));
  }

  override safeInteger(isSigned: boolean): number {
    return this.#draw(isSigned ? maxSafeInteger() : maxSafeNat());
  }

  override double(): number {
    return this.#draw(double({ noNaN: true }));
  }

  /** Text of one byte per character in it, as in the models and names that come so. */
  override wideBytes(count: number): Buffer {
    const drawn = this.#draw(uint8Array({ maxLength: Math.max(0, count - 1) }));
    const bytes = Buffer.alloc(count);
    bytes.set(drawn.map((byte) => byte & 0x7f));
    return bytes;
  }

  override counted(): Buffer {
    return Buffer.from(this.#draw(someBytes));
  }

  override text(): string {
    return this.#draw(text);
  }

  override uuid(): string {
    return this.#draw(uuid());
  }
}
