/** All checks, in the order in which they are shown: what others stand on comes first. */
import type { Check } from '../check.ts';
import { balloon } from './balloon.ts';
import { broker } from './broker.ts';
import { busPermissions } from './bus_permissions.ts';
import { cgroupLimits } from './cgroup_limits.ts';
import { clock } from './clock.ts';
import { confinement } from './confinement.ts';
import { denials } from './denials.ts';
import { diskSpace } from './disk_space.ts';
import { foreignHolders } from './foreign_holders.ts';
import { fragmentation } from './fragmentation.ts';
import { hugetlbfs } from './hugetlbfs.ts';
import { kvm } from './kvm.ts';
import { libvirt } from './libvirt.ts';
import { memlock } from './memlock.ts';
import { memoryFloor } from './memory_floor.ts';
import { mountOrder } from './mount_order.ts';
import { pagePools } from './page_pools.ts';
import { queues } from './queues.ts';
import { swap } from './swap.ts';
import { transparentPages } from './transparent_pages.ts';

export const CHECKS: readonly Check[] = [
  kvm,
  pagePools,
  hugetlbfs,
  mountOrder,
  cgroupLimits,
  memoryFloor,
  fragmentation,
  transparentPages,
  swap,
  memlock,
  denials,
  foreignHolders,
  libvirt,
  confinement,
  balloon,
  broker,
  queues,
  busPermissions,
  clock,
  diskSpace,
];
