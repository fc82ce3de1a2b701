/**
 * What is told of each running guest. The names of the libvirt exporters are kept for what they mean there, so that
 * their dashboards go on working; what none of them has is called `hugenode_`.
 */
import type { Registry } from 'prom-client';
import type { GuestStatistics } from '../compute_driver.ts';
import { BALLOON_STATES, balloonReading } from '../metering/balloon.ts';
import { usedKib } from '../metering/samples.ts';
import { bytesFromKib, kibFromMib } from '../units.ts';
import { GaugeGroup } from './gauges.ts';

export class GuestMetrics {
  readonly #balloonPeriodMs: number;
  readonly #memory;
  readonly #held;
  readonly #balloon;
  readonly #info;

  constructor(registry: Registry, balloonPeriodMs: number) {
    this.#balloonPeriodMs = balloonPeriodMs;
    this.#memory = new GaugeGroup(registry, ['domain'], {
      libvirt_domain_info_maximum_memory_bytes: 'Memory that the guest was sold, in bytes.',
      libvirt_domain_info_virtual_cpus: 'vCPUs of the guest.',
      libvirt_domain_memory_stats_available_bytes: 'Memory that the guest has, as it last said, in bytes.',
      libvirt_domain_memory_stats_usable_bytes: 'Memory that the guest could use without swapping, as it last said.',
      libvirt_domain_memory_stats_unused_bytes: 'Memory that the guest leaves unused, as it last said, in bytes.',
      libvirt_domain_memory_stats_actual_balloon_bytes: 'What the balloon leaves of the memory of the guest, in bytes.',
      libvirt_domain_memory_stats_swap_in_bytes: 'Memory that the guest has read back from swap so far, in bytes.',
      libvirt_domain_memory_stats_swap_out_bytes: 'Memory that the guest has written to swap so far, in bytes.',
      libvirt_domain_memory_stats_last_update_timestamp_seconds: 'When the guest last said it (Unix time).',
      libvirt_domain_memory_stats_used_percent:
        'Memory that the guest uses, in percent of what it has; absent unless it said so lately.',
      hugenode_domain_memory_used_bytes:
        'Memory that the guest uses: available less usable; absent unless it said so lately.',
      hugenode_domain_memory_resident_bytes:
        "Memory of the host behind the guest's process: ordinary pages and pages of the hugetlb pools.",
      hugenode_domain_balloon_age_seconds: 'Time since the guest last told of its memory.',
    });
    this.#held = new GaugeGroup(registry, ['domain', 'node', 'page_kib'], {
      hugenode_domain_hugepages_held: 'Pages of the hugetlb pools that the guest holds (numa_maps).',
    });
    this.#balloon = new GaugeGroup(registry, ['domain', 'state'], {
      hugenode_domain_balloon_state: '1 for the state that the statistics of the guest are in, 0 for the others.',
    });
    this.#info = new GaugeGroup(
      registry,
      ['domain', 'instance_name', 'instance_id', 'flavor_name', 'user_id', 'project_id', 'power_state'],
      { libvirt_domain_openstack_info: 'Always 1: whose the domain is and in which state.' },
    );
  }

  clear(): void {
    for (const group of [this.#memory, this.#held, this.#balloon, this.#info]) group.clear();
  }

  /** @param nowMs wall clock, as the times of the guests' reports. */
  show(guests: readonly GuestStatistics[], nowMs: number): void {
    this.clear();
    for (const guest of guests) this.#showOne(guest, nowMs);
  }

  #showOne(guest: GuestStatistics, nowMs: number): void {
    const { instance, balloon, residentKib, actualKib, domainName: domain, powerState } = guest;
    const { flavor } = instance;
    const { state: current, ageMs } = balloonReading(guest, nowMs, 0, this.#balloonPeriodMs);
    const usedNowKib = current === 'fresh' ? usedKib(balloon) : undefined;
    this.#memory.set(
      { domain },
      {
        libvirt_domain_info_maximum_memory_bytes: bytesFromKib(kibFromMib(flavor.memoryMib)),
        libvirt_domain_info_virtual_cpus: flavor.vcpus,
        libvirt_domain_memory_stats_available_bytes: bytesOf(balloon?.availableKib),
        libvirt_domain_memory_stats_usable_bytes: bytesOf(balloon?.usableKib),
        libvirt_domain_memory_stats_unused_bytes: bytesOf(balloon?.unusedKib),
        libvirt_domain_memory_stats_actual_balloon_bytes: bytesOf(actualKib),
        libvirt_domain_memory_stats_swap_in_bytes: bytesOf(balloon?.swapInKib),
        libvirt_domain_memory_stats_swap_out_bytes: bytesOf(balloon?.swapOutKib),
        libvirt_domain_memory_stats_last_update_timestamp_seconds: balloon?.lastUpdateS,
        libvirt_domain_memory_stats_used_percent: percentOf(usedNowKib, balloon?.availableKib),
        hugenode_domain_memory_used_bytes: bytesOf(usedNowKib),
        hugenode_domain_memory_resident_bytes: bytesOf(residentKib),
        hugenode_domain_balloon_age_seconds: ageMs === null ? undefined : ageMs / 1000,
      },
    );
    for (const { node, pageSizeKib, pages } of guest.held ?? []) {
      this.#held.set({ domain, node, page_kib: pageSizeKib }, { hugenode_domain_hugepages_held: pages });
    }
    for (const state of BALLOON_STATES) {
      this.#balloon.set({ domain, state }, { hugenode_domain_balloon_state: state === current ? 1 : 0 });
    }
    this.#info.set(
      {
        domain,
        instance_name: instance.name,
        instance_id: instance.uuid,
        flavor_name: flavor.name,
        user_id: instance.userId,
        project_id: instance.projectId,
        power_state: powerState,
      },
      { libvirt_domain_openstack_info: 1 },
    );
  }
}

function bytesOf(kib: number | undefined): number | undefined {
  return kib === undefined ? undefined : bytesFromKib(kib);
}

function percentOf(kib: number | undefined, availableKib: number | undefined): number | undefined {
  if (kib === undefined || availableKib === undefined || availableKib === 0) return undefined;
  return (100 * kib) / availableKib;
}
