/** The verbs of `hugenode dead-letters`, and what they take. */
import { InvalidArgumentError, type Command } from 'commander';
import type { Settings } from '../settings/schema.ts';
import type { Answer } from './answer.ts';
import type { Chosen } from './dead_letters.ts';

export type DeadLetterVerbsOptions = {
  readonly settings: () => Settings;
  readonly print: (answer: Answer) => void;
  readonly example: (command: string) => string;
};

export function addDeadLetterVerbs(program: Command, { settings, print, example }: DeadLetterVerbsOptions): void {
  const group = program
    .command('dead-letters')
    .description('requests that the agents could not read: list, show, replay or drop them')
    .addHelpText('after', example('hugenode dead-letters show 1'));

  group
    .command('list')
    .description('all of them, the oldest first')
    .action(async () => {
      const { listDeadLetters } = await import('./dead_letters.ts');
      print(await listDeadLetters(settings()));
    });

  group
    .command('show')
    .description('one of them, with its body')
    .argument('<number>', 'its number in the list', letterNumber)
    .action(async (number: number) => {
      const { showDeadLetter } = await import('./dead_letters.ts');
      print(await showDeadLetter(settings(), number));
    });

  for (const [fate, description] of [
    ['replay', 'send them again, the way they came'],
    ['drop', 'drop them'],
  ] as const) {
    group
      .command(fate)
      .description(description)
      .argument('[number...]', 'their numbers in the list')
      .option('--all', 'all of them')
      .action(async (numbers: string[], { all = false }: { all?: boolean }) => {
        const chosen = chosenOf(numbers, all);
        const { settleDeadLetters } = await import('./dead_letters.ts');
        print(await settleDeadLetters(settings(), fate, chosen));
      });
  }
}

function chosenOf(numbers: readonly string[], all: boolean): Chosen {
  if (all === numbers.length > 0) throw new InvalidArgumentError('either numbers of the list or --all');
  return all ? 'all' : numbers.map(letterNumber);
}

function letterNumber(value: string): number {
  if (!/^[1-9]\d{0,8}$/.test(value)) throw new InvalidArgumentError(`«${value}» must be a number of the list`);
  return Number(value);
}
