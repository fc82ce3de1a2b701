/**
 * The verbs of the core. One thing at a time per instance: a second request for the same uuid waits for the first one
 * and then finds what it left. Where an instance is and what it holds is always asked of the hypervisor and the kernel;
 * the manager keeps no list of its own that could be wrong.
 */
import type { AdmissionGate } from '../admission/gate.ts';
import type { ClaimLedger } from '../admission/claims.ts';
import { HostAccount } from '../admission/host_cells.ts';
import type { AdmissionRules } from '../admission/rules.ts';
import type { InstanceRequest } from '../instance.ts';
import type { Logger } from '../log.ts';
import { createInstance, isFinished } from './create_instance.ts';
import type { ComputeDriver, GuestInfo } from '../compute_driver.ts';
import { ComputeError } from '../errors.ts';
import type { EndEvent, EventSink, Intents, RequestContext } from './events.ts';
import { describeHost, type HostReport } from './host_report.ts';
import { InstanceLanes } from './instance_lanes.ts';
import { Phases } from './phases.ts';
import { Leftovers } from './leftovers.ts';
import { reportPageHolders } from './page_holders_report.ts';
import { planInstance, type PlanReport, type PlanWish } from './plan_instance.ts';
import { StateWatch } from './state_watch.ts';

export type ComputeManagerOptions = {
  readonly driver: ComputeDriver;
  readonly gate: AdmissionGate;
  readonly ledger: ClaimLedger;
  readonly emit: EventSink;
  readonly intents: Intents;
  readonly log: Logger;
  readonly host: string;
  readonly imagesPath: string;
  readonly defaultPageSize: string;
  readonly rules: AdmissionRules;
};

export class ComputeManager {
  readonly #options: ComputeManagerOptions;
  readonly #lanes = new InstanceLanes();
  readonly #leftovers: Leftovers;
  readonly #states: StateWatch;

  constructor(options: ComputeManagerOptions) {
    this.#options = options;
    const { driver, emit, log } = options;
    this.#leftovers = new Leftovers({ takeBack: (uuid) => this.#takeBack(uuid), log });
    this.#states = new StateWatch({ driver, emit, log, inLane: (uuid, work) => this.#lanes.run(uuid, work) });
  }

  /** Builds an instance; resolves when it runs on the pages it was given. @throws {ComputeError} */
  createInstance(request: InstanceRequest, context: RequestContext): Promise<GuestInfo> {
    const deps = { ...this.#options, leaveForLater: (uuid: string) => void this.#leftovers.take(uuid) };
    return this.#lanes.run(request.uuid, async () => {
      const info = await createInstance(deps, request, context);
      this.#states.seed([info]);
      return info;
    });
  }

  /**
   * Ends an instance; resolves when its pages are back.
   * @param mayBeDone whether this very request was begun before, by an agent that died: an instance that is not there is
   * then one that is deleted.
   * @throws {ComputeError} InstanceNotFound
   */
  deleteInstance(uuid: string, context: RequestContext, { mayBeDone = false } = {}): Promise<void> {
    const { driver, emit, intents, log } = this.#options;
    return this.#lanes.run(uuid, async () => {
      const intended = intents.of('delete.end', uuid);
      const found = await driver.getInfo(uuid);
      // Also where there is no guest: files of one may be left from a delete that was cut off.
      if (found === undefined) {
        await driver.destroy(uuid);
        // A delete whose end could not be seen: libvirt did not answer in time, and did what it was asked.
        if (intended !== undefined) emit(intended);
        if (mayBeDone) return;
        throw notFound(uuid);
      }
      const { instance } = found;
      const { createdAt, launchedAt } = instance;
      const phases = new Phases('delete');
      const moment = { instance, createdAt, launchedAt, context };
      // One that goes on where an agent died has told that already.
      if (!mayBeDone || intended === undefined) emit({ kind: 'delete.start', ...moment });
      intents.intend({ kind: 'delete.end', ...moment, deletedAt: new Date().toISOString() });
      await driver.destroy(uuid);
      phases.end('destroy');
      this.#states.forget(uuid);
      emit({ kind: 'delete.end', ...moment, deletedAt: new Date().toISOString() });
      log.info('instance deleted', { instance: uuid, requestId: context.requestId, phases_ms: phases.ms });
    });
  }

  /** @throws {ComputeError} InstanceNotFound */
  async getInstance(uuid: string): Promise<GuestInfo> {
    const info = await this.#options.driver.getInfo(uuid);
    if (info === undefined) throw notFound(uuid);
    return info;
  }

  listInstances(): Promise<readonly GuestInfo[]> {
    return this.#options.driver.listGuests();
  }

  /** Nodes and pools, with what is free, claimed, reserved and held by our guests; and who holds the rest, where asked. */
  async getHost(ask: { readonly holders: boolean } = { holders: false }): Promise<HostReport> {
    const { driver, ledger, rules, host, defaultPageSize } = this.#options;
    const guests = await driver.listGuests();
    const running = guests.filter((guest) => guest.powerState !== 'shutdown' && guest.powerState !== 'crashed');
    const held = await Promise.all(running.map((guest) => driver.getHoldings(guest.instance.uuid)));
    const { value: resource, claims } = await ledger.readBeside(() => driver.getAvailableResource());
    const report = describeHost({
      host,
      account: new HostAccount(resource.memory, rules, claims, true),
      totals: resource.totals,
      defaultPageSize,
      held: held.every((pages) => pages !== undefined) ? held.flat() : null,
      instances: guests.length,
    });
    // A walk over all processes of the host: only for those who want to know.
    return ask.holders ? { ...report, holders: reportPageHolders(await driver.getPageHolders()) } : report;
  }

  /** How many such instances would be admitted now, where, and why not one more. Takes nothing. @throws {ComputeError} */
  async planInstance(wish: PlanWish): Promise<PlanReport> {
    const { driver, ledger, rules, defaultPageSize } = this.#options;
    const { value: memory, claims } = await ledger.readBeside(() => driver.readHostMemory());
    const account = new HostAccount(memory, rules, claims, true);
    return planInstance(wish, { cells: account.cells(), memory: account.ordinaryMemory(), rules, defaultPageSize });
  }

  /**
   * Takes back builds that an agent before this one did not finish: their guests were never verified and their callers
   * never answered, and a request that is delivered again builds them anew. Tells what it did and could not tell. To be
   * called before requests are taken.
   */
  async recover(): Promise<void> {
    const { driver, intents } = this.#options;
    const guests = await driver.listGuests();
    for (const event of intents.all()) await this.#resolve(event);
    this.#states.seed(guests);
    for (const guest of guests) if (!isFinished(guest)) await this.#leftovers.take(guest.instance.uuid);
    await driver.removeStrays();
  }

  /** Something happened to a domain: to be called at the hypervisor's events. Never rejects. */
  noticeLifecycle(uuid: string): Promise<void> {
    return this.#states.look(uuid);
  }

  /** Gives up on what could not be taken back; the next agent finds it. */
  stop(): void {
    this.#leftovers.stop();
  }

  /** An agent died between an effect and telling of it, or before the effect. */
  async #resolve(event: EndEvent): Promise<void> {
    const { driver, emit, intents } = this.#options;
    const { uuid } = event.instance;
    const guest = await driver.getInfo(uuid);
    if (event.kind === 'delete.end') {
      // A guest that is still there is deleted when the request comes again.
      if (guest === undefined) emit(event);
    } else if (guest !== undefined && isFinished(guest)) emit(event);
    else intents.drop('create.end', uuid);
  }

  #takeBack(uuid: string): Promise<void> {
    return this.#lanes.run(uuid, async () => {
      const guest = await this.#options.driver.getInfo(uuid);
      if (guest !== undefined && isFinished(guest)) return;
      this.#options.log.warn('taking back a build that was not finished', { instance: uuid });
      await this.#options.driver.destroy(uuid);
    });
  }
}

function notFound(uuid: string): ComputeError {
  return new ComputeError('InstanceNotFound', `no instance ${uuid} on this host`, { uuid });
}
