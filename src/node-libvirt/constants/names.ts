/** The name of a value, e.g. nameOf(DomainState, 3) is 'PAUSED'; UNKNOWN_<n> for one this table does not have. */
export function nameOf<T extends Readonly<Record<string, number>>>(
  table: T,
  value: number,
): Extract<keyof T, string> | `UNKNOWN_${number}` {
  for (const name in table) if (table[name] === value) return name;
  return `UNKNOWN_${value}`;
}
