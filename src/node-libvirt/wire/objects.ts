/**
 * libvirt's objects as they travel (remote_nonnull_*): names and uuids, nothing else. The daemon looks an object up by
 * them at each call: there is no handle to free, and an object is as good on the next connection as on this one.
 */
import { fileName, int, named, string, struct, uuid, type Type } from './xdr.ts';

/** virDomain */
export type Domain = {
  readonly name: string;
  readonly uuid: string;
  /** -1 while it does not run. */
  readonly id: number;
};
export const domain: Type<Domain> = named('Domain', struct({ name: string, uuid, id: int }));

/** virNetwork */
export type Network = { readonly name: string; readonly uuid: string };
export const network: Type<Network> = named('Network', struct({ name: string, uuid }));

/** virStoragePool */
export type StoragePool = { readonly name: string; readonly uuid: string };
export const storagePool: Type<StoragePool> = named('StoragePool', struct({ name: string, uuid }));

/** virStorageVol */
export type StorageVol = {
  /** Name of its pool. */
  readonly pool: string;
  /** A file's name may hold any byte: one that is not UTF-8 is listed with U+FFFD, and not found by this name. */
  readonly name: string;
  /** Unique on the host: for files the path. */
  readonly key: string;
};
export const storageVol: Type<StorageVol> = named(
  'StorageVol',
  struct({ pool: string, name: fileName, key: fileName }),
);

/** virSecret */
export type Secret = {
  readonly uuid: string;
  /** See SecretUsageType. */
  readonly usageType: number;
  readonly usageID: string;
};
export const secret: Type<Secret> = named('Secret', struct({ uuid, usageType: int, usageID: string }));

/** virNWFilter */
export type NWFilter = { readonly name: string; readonly uuid: string };
export const nwfilter: Type<NWFilter> = named('NWFilter', struct({ name: string, uuid }));

/** virNodeDevice */
export type NodeDevice = { readonly name: string };
export const nodeDevice: Type<NodeDevice> = named('NodeDevice', struct({ name: string }));

/** virDomainSnapshot */
export type DomainSnapshot = { readonly name: string; readonly domain: Domain };
export const domainSnapshot: Type<DomainSnapshot> = named('DomainSnapshot', struct({ name: string, domain }));
