// How many requests of a kind are at work at the same time. The others wait in their order, and hold up no other kind:
// a row of slow builds lets a quick question pass.

/** Why a request that waited does not get to work. */
export type LaneEnd = 'expired' | 'too-long' | 'stopped';

export interface LaneWish {
  /** Undefined: no lane, which has no limit. */
  lane: string | undefined;
  /** How long its caller waits; Infinity where it does not say. */
  patienceMs: number;
  /** How long it may wait at most before it is handed back. */
  longestMs: number;
}

interface Waiting {
  admit: () => void;
  end: (why: LaneEnd) => void;
}

interface Lane {
  limit: number;
  working: number;
  waiting: Set<Waiting>;
}

export class WorkLanes {
  readonly #lanes = new Map<string, Lane>();
  #isStopped = false;

  /** @param limits of each lane; a lane without one has none. */
  constructor(limits: Readonly<Record<string, number>>) {
    for (const [name, limit] of Object.entries(limits)) {
      this.#lanes.set(name, { limit, working: 0, waiting: new Set() });
    }
  }

  /** Those that wait for a place. */
  get waitingCount(): number {
    return [...this.#lanes.values()].reduce((sum, lane) => sum + lane.waiting.size, 0);
  }

  /** Runs the work when the lane has a place; otherwise tells why it was not run. Rejects as the work does. */
  async run(wish: LaneWish, work: () => Promise<void>): Promise<'done' | LaneEnd> {
    if (this.#isStopped) return 'stopped';
    const lane = wish.lane === undefined ? undefined : this.#lanes.get(wish.lane);
    if (lane === undefined) {
      await work();
      return 'done';
    }
    if (lane.working >= lane.limit) {
      const ended = await waitIn(lane, wish);
      if (ended !== null) return ended;
    } else {
      lane.working += 1;
    }
    try {
      await work();
      return 'done';
    } finally {
      leave(lane);
    }
  }

  /** Ends the waiting of all that wait; nothing is begun any more. */
  stop(): void {
    this.#isStopped = true;
    for (const { waiting } of this.#lanes.values()) {
      for (const one of waiting) one.end('stopped');
      waiting.clear();
    }
  }
}

/** Null when it has got a place, which was left to it. Whoever takes it off the list decides how its waiting ends. */
async function waitIn(lane: Lane, { patienceMs, longestMs }: LaneWish): Promise<LaneEnd | null> {
  const { promise, resolve } = Promise.withResolvers<LaneEnd | null>();
  const waiting: Waiting = { admit: () => resolve(null), end: resolve };
  lane.waiting.add(waiting);
  const why = patienceMs > longestMs ? 'too-long' : 'expired';
  const timer = setTimeout(
    () => {
      if (lane.waiting.delete(waiting)) resolve(why);
    },
    Math.min(patienceMs, longestMs),
  );
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}

/** The place goes to the one that waits longest. */
function leave(lane: Lane): void {
  const [next] = lane.waiting;
  if (next === undefined) {
    lane.working -= 1;
    return;
  }
  lane.waiting.delete(next);
  next.admit();
}
