import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { apiReference, errorsReference } from '../../src/reference/api_reference.ts';

const file = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

test('docs/api.md and docs/errors.md are what the schemas write (npm run docs:write)', () => {
  expect(file('docs/api.md')).toBe(apiReference());
  expect(file('docs/errors.md')).toBe(errorsReference());
});

test('every method and every field of a request is in it', () => {
  const text = apiReference();
  for (const word of ['create_instance', 'flavor.extra_specs', 'placement[].page_size_kib', 'nodes[].pools[].free']) {
    expect(text).toContain(word);
  }
});
