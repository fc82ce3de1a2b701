/** The answer to `hugenode plan`: what is printed, and whether what was wanted is refused. Pure. */
import type { PlanView } from '../api/plan_views.ts';
import { fillTable, planTable } from './plan_table.ts';

export type PlanAnswer = { readonly json: PlanView; readonly text: string; readonly refused: string | undefined };

const SHUT_OFF = {
  keep: 'instances that are shut off keep their pages (shut_off_instances: keep)\n',
  release: 'pages of instances that are shut off count as free (shut_off_instances: release)\n',
} as const;

export function planAnswer(plan: PlanView): PlanAnswer {
  const kept = SHUT_OFF[plan.shut_off_instances];
  // How many fit was the question: also none is an answer to it.
  if (!('wanted' in plan)) return { json: plan, text: `${fillTable(plan)}${kept}`, refused: undefined };
  const { wanted, fits } = plan;
  const refused = fits < wanted ? `${fits} of ${wanted} instances fit` : undefined;
  return { json: plan, text: `${planTable(plan)}${kept}`, refused };
}
