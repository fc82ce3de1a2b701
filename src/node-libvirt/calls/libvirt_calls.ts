// Written by `npm run generate -w node-libvirt` from the entries of procedures/. Do not edit.
// oxlint-disable max-lines
import { ConnectCalls } from './connect_calls.ts';
import { DomainSnapshotCalls } from './domain_snapshot_calls.ts';
import { DomainQemuCalls } from './domain_qemu_calls.ts';
import { DomainCalls } from './domain_calls.ts';
import { NodeDeviceCalls } from './node_device_calls.ts';
import { NodeCalls } from './node_calls.ts';
import { NetworkCalls } from './network_calls.ts';
import { StoragePoolCalls } from './storage_pool_calls.ts';
import { StorageVolCalls } from './storage_vol_calls.ts';
import { SecretCalls } from './secret_calls.ts';
import { NWFilterCalls } from './nw_filter_calls.ts';

/** Every method of the table: those of virConnect itself, the others by group. */
export abstract class LibvirtCalls extends ConnectCalls {
  /** Snapshots of domains. */
  readonly domainSnapshot = new DomainSnapshotCalls(this);
  /** QEMU itself, past libvirt: its monitor and the guest agent. */
  readonly qemu = new DomainQemuCalls(this);
  /** Domains. */
  readonly domain = new DomainCalls(this);
  /** Devices of the host. */
  readonly nodeDevice = new NodeDeviceCalls(this);
  /** The host: CPUs, memory, pages. */
  readonly node = new NodeCalls(this);
  /** Virtual networks. */
  readonly network = new NetworkCalls(this);
  /** Storage pools. */
  readonly storagePool = new StoragePoolCalls(this);
  /** Volumes of storage pools. */
  readonly storageVol = new StorageVolCalls(this);
  /** Secrets: passphrases and keys that domains and pools use. */
  readonly secret = new SecretCalls(this);
  /** Network filters. */
  readonly nwfilter = new NWFilterCalls(this);
}
