/**
 * SASLprep (RFC 4013): the one form of a name or password that both sides compute with. Printable ASCII is that form
 * already; of the rest: other spaces become spaces, some invisible characters vanish, compatible characters are made one
 * (NFKC), and what is prohibited or of mixed direction is refused.
 *
 * Whether a character was assigned in Unicode 3.2, as the RFC's tables have it, is not asked: that would refuse newer
 * scripts, and Cyrus SASL and Node normalise those alike.
 */

const OTHER_SPACES = /[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/gu;
/** RFC 3454, table B.1. */
const VANISHING = /[\u00ad\u1806\u200c\u2060\ufeff]|\u034f|\u200d|[\u180b-\u180d]|[\ufe00-\ufe0f]/gu;
/** Tables C.2 to C.9, after NFKC: control, private use, no character, surrogate, unfit for text, display, tagging. */
const PROHIBITED =
  /[\p{Cc}\p{Co}\p{Cs}\p{Noncharacter_Code_Point}\u06dd\u070f\u180e\u2028\u2029\u2061-\u2063\u206a-\u206f\ufff9-\ufffd\u2ff0-\u2ffb\u200e\u200f\u202a-\u202e\u{1d173}-\u{1d17a}\u{e0001}\u{e0020}-\u{e007f}]/u;
const RIGHT_TO_LEFT = /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}]/u;

/** @throws {RangeError} without the text itself: it is a secret. */
export function prepared(what: 'username' | 'password', text: string): string {
  if (text === '') throw new RangeError(`the ${what} is empty`);
  const result = text.replace(OTHER_SPACES, ' ').replace(VANISHING, '').normalize('NFKC');
  if (result === '') throw new RangeError(`the ${what} has no visible character`);
  if (PROHIBITED.test(result)) throw new RangeError(`the ${what} has a character that SASL prohibits (RFC 4013)`);
  if (RIGHT_TO_LEFT.test(result) && !isWhollyRightToLeft(result))
    throw new RangeError(`the ${what} mixes scripts written from the right and from the left, which SASL prohibits`);
  return result;
}

/** RFC 3454, section 6: from the right first and last, and no letter from the left between. */
function isWhollyRightToLeft(text: string): boolean {
  const characters = Array.from(text);
  const ends = [characters[0] ?? '', characters.at(-1) ?? ''];
  const others = characters.filter((character) => /\p{L}/u.test(character) && !RIGHT_TO_LEFT.test(character));
  return ends.every((end) => RIGHT_TO_LEFT.test(end)) && others.length === 0;
}
