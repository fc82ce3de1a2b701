/** A file of its own: whoever only wants to know the error loads none of the rules. */

/** The saved answer, or what is asked about it, cannot be planned with; the message says why. */
export class InventoryError extends Error {
  override readonly name = 'InventoryError';
}
