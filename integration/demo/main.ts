/**
 * The story of one instance, told while it happens: each step shows what was asked, what came back, and what the
 * kernel says. Whatever goes wrong on the way, nothing is left behind.
 */
import { randomUUID } from 'node:crypto';
import { Listr, type ListrTask } from 'listr2';
import { decideVirtType } from '../virt_type.ts';
import { DemoWorld } from './world.ts';
import * as steps from './steps.ts';

const stop = new AbortController();
process.once('SIGINT', () => stop.abort(new Error('interrupted')));
process.once('SIGTERM', () => stop.abort(new Error('terminated')));

const beganMs = performance.now();
const world = new DemoWorld({ uuid: randomUUID(), signal: stop.signal });

/** The output of a step is the story: all of it stays when the step is done. */
const TOLD = { persistentOutput: true, outputBar: Infinity };

const story: ListrTask[] = [
  {
    title: 'Which kind of guest boots on this machine?',
    rendererOptions: TOLD,
    task: async (_context, task) => {
      const { virtType, why, remembered } = await decideVirtType();
      world.virtType = virtType;
      task.output = `${virtType}${remembered ? ' (remembered since this machine started)' : ''}: ${why}`;
    },
  },
  step('An agent starts with the shipped configuration, on a virtual host of its own', () => world.open()),
  step('Pages per NUMA node before', () => steps.pagesBefore(world)),
  step('A request that is too large is refused, with its numbers', () => steps.refused(world)),
  step('A create-instance request goes out over RabbitMQ', () => steps.create(world)),
  step('Pages after, by the word of the kernel', () => steps.pagesAfter(world)),
  step('The guest says on its console that it is up', () => steps.console(world)),
  step('Memory samples, read back from the metering queue', () => steps.samples(world)),
  step('The instance is deleted', () => steps.remove(world)),
  step('Every page is back', () => steps.pagesBack(world)),
];

function step(title: string, work: () => Promise<string>): ListrTask {
  return {
    title,
    rendererOptions: TOLD,
    task: async (_context, task) => {
      stop.signal.throwIfAborted();
      task.output = await work();
    },
  };
}

const tasks = new Listr(story, {
  // Ctrl-C is ours: what was started has to be taken back first.
  registerSignalListeners: false,
  rendererOptions: { collapseErrors: false },
  fallbackRenderer: 'simple',
});

let failure: string | undefined;
try {
  await tasks.run();
} catch (error) {
  failure = error instanceof Error ? error.message : 'for an unknown reason';
}
const left = await world.close();
for (const what of left) process.stderr.write(`left behind: ${what}\n`);
if (failure !== undefined) {
  process.stderr.write(`\nThe demo ended early: ${failure}\n`);
}
if (failure === undefined && left.length === 0) {
  const seconds = ((performance.now() - beganMs) / 1000).toFixed(1);
  process.stdout.write(`\nDone in ${seconds} s; nothing is left behind.\n`);
} else {
  process.exitCode = 1;
}
