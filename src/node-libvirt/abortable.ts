/**
 * Waiting that a signal ends, for work that knows nothing of signals or does not end by them at once. Only the waiting
 * ends: the work goes on, its late failure is nobody's, and what it brings late goes to `dispose`.
 */
export async function abortable<T>(
  work: Promise<T>,
  signal: AbortSignal | undefined,
  dispose: (late: T) => unknown = () => undefined,
): Promise<T> {
  if (signal === undefined) return work;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await Promise.race([aborted, work]);
  } catch (error) {
    work.then(dispose).catch(() => undefined);
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
