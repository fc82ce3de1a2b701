import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { signSample, type SampleValue } from '../../src/metering/signature.ts';

const vectorSchema = z.array(
  z.object({ name: z.string(), secret: z.string(), text: z.string(), signature: z.string() }),
);
const vectors = vectorSchema.parse(
  JSON.parse(readFileSync(new URL('../vectors/metering/signature-vectors.json', import.meta.url), 'utf8')),
);

/**
 * Made by Ceilometer's own code. Left out: lists, and numbers whose JSON text (64.0, 1e-05) JavaScript would not write:
 * we send neither.
 */
const ours = vectors.filter(({ text }) => {
  const value: unknown = JSON.parse(text);
  return (
    !text.includes('[') &&
    JSON.stringify(value) === text.replaceAll(/(?<=[,:]) /g, '') &&
    !/\d(e|\d{17})/.test(JSON.stringify(value))
  );
});

test('enough vectors are within what we send', () => {
  expect(ours.length).toBeGreaterThanOrEqual(12);
});

test.each(ours)('$name', ({ text, secret, signature }) => {
  const sample: { [key: string]: SampleValue } = JSON.parse(text);
  expect(signSample(sample, secret)).toBe(signature);
});
