/**
 * The undo of each step that takes something, registered beside the step. A build that fails unwinds them in reverse;
 * one undo that fails is reported and does not keep the others from running.
 */

export type UndoFailure = { step: string; error: unknown };

export class UndoStack {
  readonly #steps: { step: string; undo: () => Promise<void> | void }[] = [];

  /** Remembers how to take back the step that was just done. */
  push(step: string, undo: () => Promise<void> | void): void {
    this.#steps.push({ step, undo });
  }

  /** The work is done and stays: nothing is taken back any more. */
  forget(): void {
    this.#steps.length = 0;
  }

  /** Takes everything back, newest first; returns what could not be taken back. */
  async unwind(): Promise<UndoFailure[]> {
    const failures: UndoFailure[] = [];
    for (let entry = this.#steps.pop(); entry !== undefined; entry = this.#steps.pop()) {
      try {
        await entry.undo();
      } catch (error) {
        failures.push({ step: entry.step, error });
      }
    }
    return failures;
  }
}
