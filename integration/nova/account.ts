/** A host and its guests in our account, each step of which is held against Nova's. */
import { isDeepStrictEqual } from 'node:util';
import { fit, type Placement } from '../../src/numa/fit.ts';
import type { GuestTopology } from '../../src/numa/guest_topology.ts';
import type { HostCell } from '../../src/numa/host_cell.ts';
import { claim, free } from '../../src/numa/usage.ts';
import {
  deepFreeze,
  fitAnswer,
  hostOf,
  limitsOf,
  usageAnswer,
  type VectorHostCell,
  type VectorRequest,
} from '../../test/numa/vector_files.ts';
import type { Counts } from './counts.ts';
import { guestOf } from './fit_check.ts';
import type { NovaOracle, Placed } from './nova_oracle.ts';

type Guest = { request: VectorRequest; guest: GuestTopology; placement: Placement };

export class Account {
  /** Steps after which Nova's account is another one. */
  readonly disagreements: string[] = [];
  readonly #nova: Pick<NovaOracle, 'usage'>;
  readonly #cells: VectorHostCell[];
  readonly #limits: [number, number] | null;
  readonly #counts: Counts;
  readonly #guests: Guest[] = [];
  #host: readonly HostCell[];

  constructor(
    nova: Pick<NovaOracle, 'usage'>,
    cells: VectorHostCell[],
    limits: [number, number] | null,
    counts: Counts,
  ) {
    this.#nova = nova;
    this.#cells = cells;
    this.#limits = limits;
    this.#counts = counts;
    this.#host = deepFreeze(hostOf(cells));
  }

  /** Places a guest where we would, and claims what it takes. */
  async start(request: VectorRequest): Promise<void> {
    const guest = guestOf(request);
    const result = fit(guest, this.#host, { limits: limitsOf(this.#limits) });
    if (!result.fits) return;
    const started = { request, guest, placement: result.placement };
    // Isolated emulator threads may be placed where Nova's own claim then fails.
    if (await this.#change(started, false)) this.#guests.push(started);
  }

  /** Frees what the newest guest took. */
  async end(): Promise<void> {
    const newest = this.#guests.pop();
    if (newest !== undefined) await this.#change(newest, true);
  }

  /** Claims for the newest guest once more, and frees it twice: CPUs that were taken or given back cannot be again. */
  async changeTwice(): Promise<void> {
    const newest = this.#guests.pop();
    if (newest === undefined) return;
    const host = this.#host;
    await this.#change(newest, false);
    this.#host = host;
    await this.#change(newest, true);
    await this.#change(newest, true);
  }

  async #change({ request, guest, placement }: Guest, ends: boolean): Promise<boolean> {
    const question = { ...request, host: this.#written(), placement: placedOf(placement), free: ends };
    const theirs = await this.#nova.usage(question);
    const result = (ends ? free : claim)(this.#host, guest, placement);
    const ours = result.ok ? { after: usageAnswer(result.host) } : { err: result.error.errorClass };
    this.#counts.add(`${ends ? 'ends' : 'starts'}: ${result.ok ? 'done' : result.error.errorClass}`);
    if (!isDeepStrictEqual(ours, theirs)) {
      const [step, answer, novas] = [question, ours, theirs].map((value) => JSON.stringify(value));
      this.disagreements.push(`${step}: ours ${answer}, Nova's ${novas}`);
    }
    if (result.ok) this.#host = deepFreeze(result.host);
    return result.ok;
  }

  /** The host as it came, with what is in use now. */
  #written(): VectorHostCell[] {
    const usage = usageAnswer(this.#host);
    return this.#cells.map((cell, at) => {
      const [memUsed, cpuUsed, pinned, used] = usage[at] ?? [0, 0, '', []];
      const pages = cell.pages.map(([size, total, , reserved], nth): VectorHostCell['pages'][number] => {
        return [size, total, used[nth] ?? 0, reserved];
      });
      return { ...cell, memUsed, cpuUsed, pinned, pages };
    });
  }
}

function placedOf(placement: Placement): Placed {
  const answer = fitAnswer({ fits: true, placement });
  if (answer === null || 'err' in answer) throw new Error('a placement is no refusal');
  return answer;
}
