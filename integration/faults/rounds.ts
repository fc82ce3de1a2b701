/** How many rounds of each fault: HUGENODE_FAULT_ROUNDS, else as many as the hour of the lane has room for. */
const given = Number(process.env['HUGENODE_FAULT_ROUNDS'] ?? Number.NaN);

/** @param usual where nobody asked for another number. */
export function rounds(usual: number): number[] {
  const count = Number.isInteger(given) && given > 0 ? given : usual;
  return Array.from({ length: count }, (_, nth) => nth + 1);
}
