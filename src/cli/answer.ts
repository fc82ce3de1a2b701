/** What a verb answers: for programs, and for people. */
export type Answer = {
  readonly json: unknown;
  readonly text: string;
  /** Why the exit code is to say that it does not fit. */
  readonly refused?: string | undefined;
};
