/** A row of the conformance table: what shows that a procedure is libvirt's, or why this machine cannot show it. */
import type { Procedures } from 'node-libvirt';
import type { World } from './world.ts';

export type ProcedureName = keyof typeof Procedures;

export type Row =
  | { readonly kind: 'live'; readonly check: (world: World) => Promise<void> }
  /** It works only where there is more than this machine has; ours is refused for the same reason as libvirt-python. */
  | { readonly kind: 'refused'; readonly why: string; readonly check: (world: World) => Promise<void> }
  | { readonly kind: 'absent'; readonly why: string };

export type Rows = { readonly [Name in ProcedureName]?: Row };

/** Called on the daemon, and what came of it compared with what libvirt-python says. */
export function live(check: (world: World) => Promise<void>): Row {
  return { kind: 'live', check };
}

export function refused(why: string, check: (world: World) => Promise<void>): Row {
  return { kind: 'refused', why, check };
}

export function absent(why: string): Row {
  return { kind: 'absent', why };
}
