/**
 * The page size a flavor asks for (`hw:mem_page_size`), in Nova's own grammar: small, large, any, plain digits in KiB,
 * or a number with a unit that ends in b, bit or B. Letters count: `2MB` is a size, `2M` and `2mb` are not, because a
 * control plane that accepted one host's spelling must not be surprised by the next host's.
 */

export type PageSizeRequest =
  | { readonly kind: 'small' | 'large' | 'any' }
  | { readonly kind: 'explicit'; readonly pageSizeKib: number };

const WORDS = ['small', 'large', 'any'] as const;
const WITH_UNIT = /^\+?(\d*\.?\d+)([KMGT]?)i?(b|bit|B)$/;
const POWER_OF_1024: Readonly<Record<string, number>> = { '': 0, K: 1, M: 2, G: 3, T: 4 };

/**
 * Reads a page size request.
 * @returns undefined where the text is no page size, or names one below 1 KiB.
 */
export function parsePageSize(text: string): PageSizeRequest | undefined {
  const word = WORDS.find((candidate) => candidate === text);
  if (word !== undefined) return { kind: word };
  const pageSizeKib = /^\d+$/.test(text) ? Number(text) : kibFromUnits(text);
  if (pageSizeKib === undefined || pageSizeKib < 1 || !Number.isSafeInteger(pageSizeKib)) return undefined;
  return { kind: 'explicit', pageSizeKib };
}

/** b and bit are bits, B bytes; with or without i a step is 1024; what is left over is cut to whole KiB. */
function kibFromUnits(text: string): number | undefined {
  const [, amount, prefix, unit] = WITH_UNIT.exec(text) ?? [];
  if (amount === undefined || prefix === undefined) return undefined;
  const units = Number(amount) * 1024 ** (POWER_OF_1024[prefix] ?? 0);
  return Math.floor(Math.ceil(unit === 'B' ? units : units / 8) / 1024);
}

/** The request as a person would write it. */
export function describePageSizeRequest(request: PageSizeRequest): string {
  return request.kind === 'explicit' ? `${request.pageSizeKib} KiB` : request.kind;
}
