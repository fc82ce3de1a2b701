/**
 * Which domains are guests of ours, and the instances that they carry. libvirt keeps the records; what is kept here only
 * saves asking again.
 */
import { ListAllDomainsFlags, type Domain } from 'node-libvirt';
import type { PlacedGuest } from '../admission/host_memory.ts';
import { readDomain } from '../domain/read.ts';
import type { Instance } from '../instance.ts';
import { absentIsUndefined, type LibvirtLink } from './libvirt_link.ts';

export type Found =
  | { readonly is: 'absent' }
  | { readonly is: 'ours'; readonly instance: Instance }
  | { readonly is: 'foreign'; readonly name: string };

export class GuestRecords {
  readonly #link: LibvirtLink;
  readonly #nameOf: (uuid: string) => string;
  /** Of finished instances: only we write them, and a finished one changes no more. */
  readonly #records = new Map<string, Instance>();

  /** `nameOf` says how a domain of ours is called. */
  constructor(link: LibvirtLink, nameOf: (uuid: string) => string) {
    this.#link = link;
    this.#nameOf = nameOf;
  }

  /** What was just written into the domain. */
  remember(instance: Instance): void {
    this.#records.set(instance.uuid, instance);
  }

  forget(uuid: string): void {
    this.#records.delete(uuid);
  }

  /** The instance of a domain; undefined for one that is absent or not ours. */
  async of(domain: Domain): Promise<Instance | undefined> {
    // Another agent on this host has a prefix of its own; its guests are none of ours, whatever they carry.
    if (domain.name !== this.#nameOf(domain.uuid)) return undefined;
    const known = this.#records.get(domain.uuid);
    if (known !== undefined) return known;
    const found = await this.lookUp(domain);
    return found.is === 'ours' ? found.instance : undefined;
  }

  /** Asks libvirt what there is under a uuid: nothing, a guest of ours, or a domain that is none of our business. */
  async lookUp(domain: Domain): Promise<Found> {
    const xml = await absentIsUndefined(this.#link.use((connection) => connection.domain.getXMLDesc(domain)));
    if (xml === undefined) {
      this.#records.delete(domain.uuid);
      return { is: 'absent' };
    }
    const { name, instance } = readDomain(xml);
    if (instance === undefined || instance.uuid !== domain.uuid || name !== this.#nameOf(domain.uuid)) {
      return { is: 'foreign', name };
    }
    // An unfinished record is about to change: what was read may be older than what was saved meanwhile.
    if (instance.launchedAt !== null) this.#records.set(domain.uuid, instance);
    return { is: 'ours', instance };
  }

  /** Guests of ours with a process, and without one. */
  async placedGuests(): Promise<PlacedGuest[]> {
    const list = (flags: number) => this.#link.use((connection) => connection.listAllDomains(flags));
    // In this order: a guest that ends in between is in both lists, and counts as either. Asked at the same time, or the
    // other way round, it could be in neither, and its pages and CPUs would be given away.
    const active = await list(ListAllDomainsFlags.ACTIVE);
    const inactive = await list(ListAllDomainsFlags.INACTIVE);
    const guests = [active, inactive].flatMap((domains) =>
      domains.map(async (domain) => ({
        record: await this.of(domain),
        isRunning: domains === active,
      })),
    );
    return (await Promise.all(guests)).flatMap(({ record, isRunning }) =>
      // An unfinished one without a process is a build that failed and waits to be taken back: it is to get nothing.
      record === undefined || (!isRunning && record.launchedAt === null) ? [] : [placedGuest(record, isRunning)],
    );
  }

  /** Domains that are not there any more have no record. */
  forgetAllBut(domains: readonly Domain[]): void {
    const present = new Set(domains.map((domain) => domain.uuid));
    for (const uuid of this.#records.keys()) if (!present.has(uuid)) this.#records.delete(uuid);
  }
}

function placedGuest(record: Instance, isRunning: boolean): PlacedGuest {
  const { uuid, projectId, placement, launchedAt } = record;
  return { instanceUuid: uuid, projectId, placement, isRunning, launchedAt };
}
