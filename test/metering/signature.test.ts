import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { PythonFloat, signSample, type SignedValue } from '../../src/metering/signature.ts';

const vectorSchema = z.array(
  z.object({ name: z.string(), secret: z.string(), text: z.string(), signature: z.string() }),
);
/** Made by Ceilometer's own code. */
const vectors = vectorSchema.parse(
  JSON.parse(readFileSync(new URL('../vectors/metering/signature-vectors.json', import.meta.url), 'utf8')),
);

/** As Python reads it: 64.0 is no 64, and integers have all their digits. */
function asPythonReads(text: string): { [key: string]: SignedValue } {
  const value: unknown = JSON.parse(text, (_key, parsed: unknown, { source = '' }: { source?: string }) => {
    if (typeof parsed !== 'number') return parsed;
    return /[.eE]/.test(source) ? new PythonFloat(parsed) : BigInt(source);
  });
  return Object(value);
}

test('there are 35 vectors', () => {
  expect(vectors).toHaveLength(35);
});

test.each(vectors)('$name', ({ text, secret, signature }) => {
  expect(signSample(asPythonReads(text), secret)).toBe(signature);
});

/** Those whose text is what JavaScript writes of them: as our own samples are signed and sent. */
const ours = vectors.filter(({ text }) => JSON.stringify(JSON.parse(text)) === text.replaceAll(/(?<=[,:]) /g, ''));

test.each(ours)('of what we send: $name', ({ text, secret, signature }) => {
  expect(signSample(JSON.parse(text), secret)).toBe(signature);
});
