/** A simulated host: guests come and go, the agent lives and dies, the clock is set; and what is true of it. */
import type { Holding } from '../../src/usage/history.ts';
import type { ClockReading } from '../../src/usage/record_clock.ts';

export type WorldStep =
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'start'; readonly guest: number; readonly pages: number }
  | { readonly do: 'end'; readonly guest: number }
  | { readonly do: 'shut-off'; readonly guest: number }
  | { readonly do: 'set-clock'; readonly ms: number }
  | { readonly do: 'kill-agent' }
  | { readonly do: 'start-agent' }
  | { readonly do: 'break-host' }
  | { readonly do: 'mend-host' };

export const PROJECTS = ['p-0', 'p-1'] as const;

/** Guests by number; every guest is of the project of its number's parity. */
export class World {
  readonly holdings = new Map<number, Holding>();
  wallMs = 1_700_000_000_000;
  monotonicMs = 5_000;
  #runs = 0;

  pass(ms: number): void {
    this.wallMs += ms;
    this.monotonicMs += ms;
  }

  start(guest: number, pages: number): void {
    this.#runs += 1;
    this.holdings.set(guest, {
      instanceUuid: `guest-${guest}`,
      projectId: PROJECTS[guest % 2] ?? 'p-0',
      node: guest % 3,
      pageSizeKib: 2048,
      pages,
      state: 'running',
      identity: `run-${this.#runs}`,
    });
  }

  shutOff(guest: number): void {
    const holding = this.holdings.get(guest);
    if (holding !== undefined) this.holdings.set(guest, { ...holding, state: 'kept', identity: `kept/${guest}` });
  }

  get clock(): ClockReading {
    return { wallMs: this.wallMs, monotonicMs: this.monotonicMs, bootId: 'boot-1' };
  }
}
