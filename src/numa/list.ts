/** The entry at a place that is known to be there. @throws RangeError where it is not, which is a bug of the caller. */
export function entryAt<T>(list: readonly T[], at: number): T {
  const entry = list[at];
  if (entry === undefined) throw new RangeError(`no entry ${at} in a list of ${list.length}`);
  return entry;
}
