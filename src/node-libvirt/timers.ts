/** The longest delay a Node timer has; beyond, it fires at once. */
export const LONGEST_DELAY_MS = 2 ** 31 - 1;
