/**
 * The pages a guest's memory is made of (`hw:mem_page_size`), and whether it is locked (`hw:locked_memory`). A page size
 * is small, large, any, plain digits in KiB, or a number with a unit that ends in b, bit or B. Letters count: `2MB` is a
 * size, `2M` and `2mb` are not, because they are not to Nova.
 */
import type { DecodedImage } from './image_properties.ts';
import type { RequestReading } from './request_errors.ts';
import { isSwitchedOn } from './spelling.ts';

/** A number is a page size in KiB; 0 asks for nothing, as null does. */
export type PageSizeWish = 'small' | 'large' | 'any' | number;

const PAGE_SIZE = 'hw:mem_page_size';
const IMAGE_PAGE_SIZE = 'hw_mem_page_size';
const LOCKED = 'hw:locked_memory';

const WORDS = ['small', 'large', 'any'] as const;
const WITH_UNIT = /^\+?(\d*\.?\d+)(?:([KMGT])i?)?(b|bit|B)$/;
const POWER_OF_1024: Readonly<Record<string, number>> = { '': 0, K: 1, M: 2, G: 3, T: 4 };
const BITS_PER_BYTE = 8;

/**
 * Null where no size is given, undefined where it cannot be known because of an error that was noted. A number may have
 * a fraction here: Nova takes `512B` as asking for pages, and only then cuts it to 0 KiB.
 */
export function readPageSizeWish(reading: RequestReading): PageSizeWish | null | undefined {
  const flavor = reading.setText(PAGE_SIZE);
  const image = reading.setText(IMAGE_PAGE_SIZE);
  if (flavor === undefined) {
    if (image === undefined) return null;
    return reading.refuse('MemoryPageSizeForbidden', IMAGE_PAGE_SIZE, `the flavor has no ${PAGE_SIZE}`);
  }
  const wish = readSize(reading, PAGE_SIZE, flavor);
  if (wish === undefined || image === undefined) return wish;
  if (wish === 'large' || wish === 'any') return readSize(reading, IMAGE_PAGE_SIZE, image);
  const rule = `the flavor's ${PAGE_SIZE}=${flavor} leaves no choice; large or any would`;
  return reading.refuse('MemoryPageSizeForbidden', IMAGE_PAGE_SIZE, rule);
}

export function readLockedMemory(reading: RequestReading, image: DecodedImage): boolean {
  const text = reading.text(LOCKED);
  const flavor = text === undefined ? null : isSwitchedOn(text);
  if (flavor !== null && image.lockedMemory !== null && flavor !== image.lockedMemory) {
    reading.refuse('FlavorImageLockedMemoryConflict', LOCKED, "differs from the image's hw_locked_memory");
    return false;
  }
  const locked = flavor ?? image.lockedMemory ?? false;
  const sized = reading.setText(PAGE_SIZE) !== undefined || reading.setText(IMAGE_PAGE_SIZE) !== undefined;
  if (locked && !sized) {
    reading.refuse('LockMemoryForbidden', flavor === null ? 'hw_locked_memory' : LOCKED, `needs ${PAGE_SIZE}`);
  }
  return locked;
}

/**
 * Reads one page size.
 * @returns KiB that may have a fraction for a size, undefined where the text is no page size.
 */
export function parsePageSizeWish(text: string): PageSizeWish | undefined {
  const word = WORDS.find((candidate) => candidate === text);
  if (word !== undefined) return word;
  const bytes = /^\d+$/.test(text) ? Number(text) * 1024 : bytesFromUnits(text);
  // A size beyond exact arithmetic is a size that no host has.
  return bytes === undefined ? undefined : Math.min(bytes / 1024, Number.MAX_SAFE_INTEGER);
}

/** b and bit are bits, B bytes; with or without i a step is 1024; a part of a byte is a byte. */
function bytesFromUnits(text: string): number | undefined {
  const [, amount, prefix = '', unit] = WITH_UNIT.exec(text) ?? [];
  if (amount === undefined) return undefined;
  const units = Number(amount) * 1024 ** (POWER_OF_1024[prefix] ?? 0);
  return Math.ceil(unit === 'B' ? units : units / BITS_PER_BYTE);
}

function readSize(reading: RequestReading, field: string, text: string): PageSizeWish | undefined {
  const wish = parsePageSizeWish(text);
  if (wish !== undefined) return wish;
  const rule = 'must be small, large, any, or a size such as 2MB or 2048 (KiB)';
  return reading.refuse('MemoryPageSizeInvalid', field, rule);
}
