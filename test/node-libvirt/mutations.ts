/** Ways in which bytes go wrong. Each takes a packet or payload and gives another; what came in stays as it was. */
export type Random = () => number;

const NASTY_WORDS = [0, 1, 2, 3, 7, 8, 0xff, 0x7fffffff, 0x80000000, 0xffffffff, 0x01000000, 4_194_304, 4_194_305];

export function below(random: Random, limit: number): number {
  return Math.floor(random() * limit);
}

export function pick<T>(random: Random, values: readonly T[]): T {
  const value = values[below(random, values.length)];
  if (value === undefined) throw new Error('nothing to pick from');
  return value;
}

/** One to three mutations, one after the other. */
export function mutated(original: Buffer, random: Random): Buffer {
  let bytes = Buffer.from(original);
  for (let count = 1 + below(random, 3); count > 0; count -= 1) bytes = pick(random, MUTATIONS)(bytes, random);
  return bytes;
}

const MUTATIONS: readonly ((bytes: Buffer, random: Random) => Buffer<ArrayBuffer>)[] = [
  function flipBit(bytes, random) {
    const copy = Buffer.from(bytes);
    const at = below(random, copy.length);
    if (copy.length > 0) copy.writeUInt8(copy.readUInt8(at) ^ (1 << below(random, 8)), at);
    return copy;
  },
  function nastyWord(bytes, random) {
    const copy = Buffer.from(bytes);
    if (copy.length >= 4) copy.writeUInt32BE(pick(random, NASTY_WORDS), below(random, copy.length - 3) & ~3);
    return copy;
  },
  function cutShort(bytes, random) {
    return Buffer.from(bytes.subarray(0, below(random, bytes.length + 1)));
  },
  function cutByWords(bytes, random) {
    return Buffer.from(bytes.subarray(0, below(random, bytes.length + 1) & ~3));
  },
  function append(bytes, random) {
    return Buffer.concat([bytes, Buffer.alloc(below(random, 12), below(random, 256))]);
  },
  function noise(bytes, random) {
    const copy = Buffer.from(bytes);
    for (let at = 0; at < copy.length; at += 1 + below(random, 20)) copy.writeUInt8(below(random, 256), at);
    return copy;
  },
  function repeatPart(bytes, random) {
    const at = below(random, bytes.length + 1) & ~3;
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(0, at), bytes.subarray(at)]).subarray(0, 65_536);
  },
  function dropPart(bytes, random) {
    const from = below(random, bytes.length + 1) & ~3;
    return Buffer.concat([bytes.subarray(0, from), bytes.subarray(from + 4)]);
  },
];
