/** What the table says that calls are refused with, tried: the docs must not promise a code that the daemon does not use. */
import type { Domain, ErrorCode } from 'node-libvirt';
import type { ProcedureName } from './row.ts';
import type { World } from './world.ts';

export type Refusal = {
  readonly procedure: ProcedureName;
  readonly code: keyof typeof ErrorCode;
  readonly call: (world: World, spare: Domain) => Promise<unknown>;
};

export function refusal(procedure: ProcedureName, code: keyof typeof ErrorCode, call: Refusal['call']): Refusal {
  return { procedure, code, call };
}

/** Whatever comes of the call, what was made for it goes. */
export async function undone(call: Promise<unknown>, undo: () => Promise<unknown>): Promise<unknown> {
  try {
    return await call;
  } finally {
    await undo();
  }
}
