/**
 * Tells when a guest changes its state otherwise than by a request: it shuts itself off, somebody pauses it. The
 * hypervisor's events say only that something happened; what it is now is asked.
 */
import type { ComputeDriver, GuestInfo, PowerState } from '../compute_driver.ts';
import type { Logger } from '../log.ts';
import type { EventSink } from './events.ts';

export type StateWatchOptions = {
  readonly driver: Pick<ComputeDriver, 'getInfo'>;
  /** One thing at a time per instance: a delete or a build under way is waited for. */
  readonly inLane: (uuid: string, work: () => Promise<void>) => Promise<void>;
  readonly emit: EventSink;
  readonly log: Logger;
};

export class StateWatch {
  readonly #options: StateWatchOptions;
  /** As last told, or as found. */
  readonly #states = new Map<string, PowerState>();
  readonly #looking = new Set<string>();

  constructor(options: StateWatchOptions) {
    this.#options = options;
  }

  /** What there is now; nothing is told of it. */
  seed(guests: readonly GuestInfo[]): void {
    for (const { instance, powerState } of guests) {
      if (instance.launchedAt !== null) this.#states.set(instance.uuid, powerState);
    }
  }

  forget(uuid: string): void {
    this.#states.delete(uuid);
  }

  /** Something happened to a domain, ours or not. Never rejects. */
  async look(uuid: string): Promise<void> {
    // The look that waits for its turn will see this change too.
    if (this.#looking.has(uuid)) return;
    this.#looking.add(uuid);
    const { inLane, log } = this.#options;
    try {
      await inLane(uuid, async () => {
        this.#looking.delete(uuid);
        await this.#compare(uuid);
      });
    } catch (error) {
      log.warn('the state of a guest is not known', { instance: uuid, error: String(error) });
    } finally {
      this.#looking.delete(uuid);
    }
  }

  async #compare(uuid: string): Promise<void> {
    const guest = await this.#options.driver.getInfo(uuid);
    if (guest === undefined || guest.instance.launchedAt === null) return this.forget(uuid);
    const { instance, powerState } = guest;
    const oldPowerState = this.#states.get(uuid);
    this.#states.set(uuid, powerState);
    if (oldPowerState === undefined || oldPowerState === powerState) return;
    const { createdAt, launchedAt } = instance;
    this.#options.emit({
      kind: 'update',
      instance,
      createdAt,
      launchedAt,
      context: { attributes: {} },
      oldPowerState,
      powerState,
      at: new Date().toISOString(),
    });
  }
}
