/**
 * libvirt's flags and states under libvirt's names minus VIR_ and the name of the set. Flags are combined with `|`.
 * Data only: numbers that a newer daemon adds pass through as they are.
 */
export * from './domain.ts';
export * from './domain_blocks.ts';
export * from './domain_snapshots.ts';
export * from './domain_states.ts';
export * from './events.ts';
export * from './host.ts';
export * from './network.ts';
export * from './secret.ts';
export * from './storage.ts';
export { nameOf } from './names.ts';
