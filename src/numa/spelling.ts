/**
 * How Nova spells whole numbers and switches in extra specs and image properties. It reads them with Python's own
 * conversions, which take blanks around a number, a sign and `1_000`; the same text must not mean one thing to a
 * scheduler and another to this host.
 */

const WHOLE_NUMBER = /^\s*[+-]?\d+(?:_\d+)*\s*$/;
const TRUE = new Set(['1', 't', 'true', 'on', 'y', 'yes']);

/**
 * Reads a whole number of any sign. What is beyond exact arithmetic is cut to its bound: it is out of range either way.
 * @returns undefined where the text is no number.
 */
export function readWholeNumber(text: string): number | undefined {
  if (!WHOLE_NUMBER.test(text)) return undefined;
  const value = Number(text.replaceAll('_', ''));
  return Math.min(Math.max(value, Number.MIN_SAFE_INTEGER), Number.MAX_SAFE_INTEGER);
}

/** Whether a switch is on. Whatever is not one of the words for it is off, as Nova has it. */
export function isSwitchedOn(text: string): boolean {
  return TRUE.has(text.trim().toLowerCase());
}
