/** `npm run bench`: figures as a table and as JSON; exit code 1 where one is above its bound. Bench alone, not a test. */
import { decideVirtType } from '../../integration/virt_type.ts';
import { runAgent } from './agent_run.ts';
import { benchAdmission } from './admission.ts';
import { benchCreate } from './create.ts';
import { figureTable, isWithin, type Figure } from './figures.ts';
import { benchLibvirt } from './libvirt/main.ts';
import { benchNuma } from './numa/main.ts';
import { benchRpc } from './rpc/main.ts';
import { benchStart, memoryFigure } from './start.ts';

const CREATES = 30;
const STARTS = 5;

const { virtType } = await decideVirtType();
// First of all, because these starts also leave Node's compile cache as an installation has it.
const figures: Figure[] = await benchStart(virtType, STARTS);
const agent = await runAgent(virtType);
try {
  figures.push(...(await benchCreate(agent, CREATES)), await memoryFigure(agent.pid));
} finally {
  await agent.close();
}

figures.push(await benchAdmission(), ...(await benchNuma()), ...(await benchRpc()), ...(await benchLibvirt(virtType)));

process.stdout.write(
  `${JSON.stringify({ node: process.version, virtType, figures }, null, 2)}\n\n${figureTable(figures)}`,
);
process.exitCode = figures.every(isWithin) ? 0 : 1;
