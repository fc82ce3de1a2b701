// Waiting with an end: amqplib 2.3 settles some of its promises only at the broker's answer, which may never come.

import { setTimeout as delay } from 'node:timers/promises';

/** Resolves with the work or after the time, whichever is first; rejects as the work does before that. */
export async function within(deadlineMs: number, work: Promise<void>): Promise<void> {
  const done = new AbortController();
  try {
    await Promise.race([work, delay(deadlineMs, undefined, { signal: done.signal }).catch(() => {})]);
  } finally {
    done.abort();
  }
}
