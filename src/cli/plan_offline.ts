/** `hugenode plan --inventory`: reads a saved `hugenode --json host` and plans on it; no agent and no broker is asked. */
import { readFileSync } from 'node:fs';
import type { z } from 'zod';
import { planInstanceArgs } from '../api/schemas.ts';
import { hostView } from '../api/views.ts';
import { InventoryError } from '../inventory/inventory_error.ts';
import { planOnInventory } from '../inventory/plan_inventory.ts';
import { planAnswer, type PlanAnswer } from './plan_answer.ts';

/** @throws {InventoryError} where the file or the arguments are no good. */
export function planOffline(file: string, args: Record<string, unknown>): PlanAnswer {
  const view = hostView.safeParse(readJson(file));
  if (!view.success) throw new InventoryError(`${file} is no answer of «hugenode --json host»: ${firstOf(view.error)}`);
  const asked = planInstanceArgs.safeParse(args);
  if (!asked.success) throw new InventoryError(firstOf(asked.error));
  return planAnswer(planOnInventory(view.data, asked.data));
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new InventoryError(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function firstOf({ issues: [first] }: z.ZodError): string {
  return first === undefined ? 'it is wrong' : `${first.path.join('.')}: ${first.message}`;
}
