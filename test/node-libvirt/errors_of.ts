import { expect } from 'vitest';

/** A promise's error, whatever it is; a failure where it has none. Attached at once, so it is never unhandled. */
export async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    (value) => expect.fail(`resolved to ${String(value)}`),
    (error: unknown) => error,
  );
}
