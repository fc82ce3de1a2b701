/**
 * The verbs of the core. One thing at a time per instance: a second request for the same uuid waits for the first one
 * and then finds what it left. Where an instance is and what it holds is always asked of the hypervisor and the kernel;
 * the manager keeps no list of its own that could be wrong.
 */
import type { AdmissionGate } from '../admission/gate.ts';
import type { ClaimLedger } from '../admission/claims.ts';
import type { NodePages } from '../admission/host_memory.ts';
import type { InstanceRequest } from '../instance.ts';
import type { Logger } from '../log.ts';
import { createInstance } from './create_instance.ts';
import type { ComputeDriver, GuestInfo } from '../compute_driver.ts';
import { ComputeError } from '../errors.ts';
import type { EventSink, RequestContext } from './events.ts';
import { describeHost, type HostReport } from './host_report.ts';
import { InstanceLanes } from './instance_lanes.ts';

export type ComputeManagerOptions = {
  readonly driver: ComputeDriver;
  readonly gate: AdmissionGate;
  readonly ledger: ClaimLedger;
  readonly emit: EventSink;
  readonly log: Logger;
  readonly host: string;
  readonly imagesPath: string;
  readonly defaultPageSize: string;
  readonly reserved: readonly NodePages[];
};

export class ComputeManager {
  readonly #options: ComputeManagerOptions;
  readonly #lanes = new InstanceLanes();

  constructor(options: ComputeManagerOptions) {
    this.#options = options;
  }

  /** Builds an instance; resolves when it runs on the pages it was given. @throws {ComputeError} */
  createInstance(request: InstanceRequest, context: RequestContext): Promise<GuestInfo> {
    return this.#lanes.run(request.uuid, () => createInstance(this.#options, request, context));
  }

  /** Ends an instance; resolves when its pages are back. @throws {ComputeError} InstanceNotFound */
  deleteInstance(uuid: string, context: RequestContext): Promise<void> {
    const { driver, emit, log } = this.#options;
    return this.#lanes.run(uuid, async () => {
      const { instance } = await this.getInstance(uuid);
      const { createdAt, launchedAt } = instance;
      emit({ kind: 'delete.start', instance, createdAt, launchedAt, context });
      await driver.destroy(uuid);
      emit({ kind: 'delete.end', instance, createdAt, launchedAt, context, deletedAt: new Date().toISOString() });
      log.info('instance deleted', { instance: uuid, request: context.requestId });
    });
  }

  /** @throws {ComputeError} InstanceNotFound */
  async getInstance(uuid: string): Promise<GuestInfo> {
    const info = await this.#options.driver.getInfo(uuid);
    if (info === undefined) throw new ComputeError('InstanceNotFound', `no instance ${uuid} on this host`, { uuid });
    return info;
  }

  listInstances(): Promise<readonly GuestInfo[]> {
    return this.#options.driver.listGuests();
  }

  /** Nodes and pools, with what is free, claimed, reserved and held by our guests. */
  async getHost(): Promise<HostReport> {
    const { driver, ledger, reserved, host } = this.#options;
    const guests = await driver.listGuests();
    const running = guests.filter((guest) => guest.powerState !== 'shutdown' && guest.powerState !== 'crashed');
    const held = await Promise.all(running.map((guest) => driver.getHoldings(guest.instance.uuid)));
    const resource = await driver.getAvailableResource();
    return describeHost({
      host,
      resource,
      reserved,
      claimed: ledger.unsettledPages(),
      held: held.flatMap((pages) => pages ?? []),
      instances: guests.length,
    });
  }

  /**
   * Takes back builds that an agent before this one did not finish: their guests were never verified and their callers
   * never answered, and a request that is delivered again builds them anew. To be called before requests are taken.
   */
  async recover(): Promise<void> {
    const { driver, log } = this.#options;
    const unfinished = (await driver.listGuests()).filter((guest) => guest.instance.launchedAt === null);
    for (const { instance } of unfinished) {
      log.warn('taking back a build that was not finished', { instance: instance.uuid });
      await driver.destroy(instance.uuid);
    }
  }
}
