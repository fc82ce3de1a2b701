/**
 * Calls that wait for a place, in order; priority procedures ahead of the others, since libvirtd can serve them while
 * its ordinary workers are stuck. After a few of them one ordinary call goes, so that a stream of them starves nobody.
 */
import type { PendingCall } from './pending_call.ts';

const URGENT_IN_A_ROW = 8;

export class CallQueue {
  readonly #urgent = new Set<PendingCall>();
  readonly #ordinary = new Set<PendingCall>();
  #urgentInARow = 0;

  get size(): number {
    return this.#urgent.size + this.#ordinary.size;
  }

  add(call: PendingCall): void {
    (call.procedure.isPriority ? this.#urgent : this.#ordinary).add(call);
  }

  delete(call: PendingCall): void {
    (call.procedure.isPriority ? this.#urgent : this.#ordinary).delete(call);
  }

  /** The next in turn, taken out. */
  take(): PendingCall | undefined {
    const isOrdinaryDue = this.#urgentInARow >= URGENT_IN_A_ROW && this.#ordinary.size > 0;
    const isUrgent = this.#urgent.size > 0 && !isOrdinaryDue;
    this.#urgentInARow = isUrgent ? this.#urgentInARow + 1 : 0;
    const queue = isUrgent ? this.#urgent : this.#ordinary;
    const [call] = queue;
    if (call !== undefined) queue.delete(call);
    return call;
  }

  /** All that wait, taken out. */
  clear(): PendingCall[] {
    const calls = [...this];
    this.#urgent.clear();
    this.#ordinary.clear();
    return calls;
  }

  *[Symbol.iterator](): Generator<PendingCall> {
    yield* this.#urgent;
    yield* this.#ordinary;
  }
}
