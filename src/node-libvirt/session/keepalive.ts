/**
 * Watches a connection for silence: after each `intervalMs` without a byte it pings, and when `count` pings in a row
 * brought nothing it gives the peer up, as libvirt does on its side (virkeepalive.c: 5 s, 5 times, so 30 s in all).
 * Any byte is life, so a peer in the middle of a large reply is never taken for dead.
 */
export type KeepaliveSettings = {
  readonly intervalMs: number;
  readonly count: number;
  readonly ping: () => void;
  readonly onDead: (silentMs: number) => void;
};

export class Keepalive {
  readonly #settings: KeepaliveSettings;
  #timer: NodeJS.Timeout | undefined;
  #lastHeard = performance.now();
  #lastPing = 0;
  #unanswered = 0;
  #isStopped = false;

  constructor(settings: KeepaliveSettings) {
    this.#settings = settings;
    this.#arm(settings.intervalMs);
  }

  /** Cheap, for every chunk: the timer looks at the clock when it fires and is not set anew here. */
  heard(): void {
    this.#lastHeard = performance.now();
    this.#unanswered = 0;
  }

  /** While nobody reads the socket, silence proves nothing. */
  suspend(): void {
    clearTimeout(this.#timer);
  }

  resume(): void {
    this.heard();
    this.#arm(this.#settings.intervalMs);
  }

  /** For good. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#isStopped = true;
  }

  #arm(delayMs: number): void {
    if (this.#isStopped) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#check(), delayMs).unref();
  }

  #check(): void {
    const { intervalMs, count, ping, onDead } = this.#settings;
    const now = performance.now();
    const quietMs = now - Math.max(this.#lastHeard, this.#lastPing);
    // Half a millisecond: timers may fire that much early.
    if (quietMs < intervalMs - 0.5) return this.#arm(intervalMs - quietMs);
    if (this.#unanswered >= count) return onDead(now - this.#lastHeard);
    this.#unanswered += 1;
    this.#lastPing = now;
    ping();
    // A full interval from now: after a pause of this process (a stop signal, a long computation) the bytes that
    // meanwhile arrived are read before the next verdict.
    this.#arm(intervalMs);
  }
}
