/** `hugenode dead-letters`: what the agents of a topic could not read. Asks the broker itself; no agent has to run. */
import { InvalidArgumentError } from 'commander';
import { table } from 'table';
import { createLogger } from '../log.ts';
import { BrokerConnection, sortDeadLetters, type DeadLetter, type Fate } from '../rpc/index.ts';
import { brokerOptions } from '../settings/broker_options.ts';
import type { Settings } from '../settings/schema.ts';
import type { Answer } from './answer.ts';

/** Which of them, by their numbers in the list. */
export type Chosen = readonly number[] | 'all';

/** All of them, the oldest first. */
export async function listDeadLetters(settings: Settings): Promise<Answer> {
  const letters = await sorted(settings, () => 'leave');
  const rows = letters.map((letter) => [
    `${letter.number}`,
    letter.receivedAt,
    letter.reason,
    printable(letter.routingKey),
    `${letter.body.length}`,
  ]);
  const text = letters.length === 0 ? 'no dead letters\n' : table([HEAD, ...rows], { drawHorizontalLine: isBorder });
  return { json: letters.map(viewOf), text };
}

/** One of them with its body. @throws {InvalidArgumentError} where there is none of that number. */
export async function showDeadLetter(settings: Settings, number: number): Promise<Answer> {
  const letters = await sorted(settings, () => 'leave');
  const letter = letters.find((one) => one.number === number);
  if (letter === undefined) throw notThere([number], letters.length);
  const view = viewOf(letter);
  const { receivedAt, reason, exchange, routingKey, contentType } = view;
  const way = `to ${exchange === '' ? 'queue' : `exchange ${exchange}, key`} ${routingKey}`;
  const head = `${receivedAt} ${way}, ${contentType ?? 'no content type'}\nrefused: ${reason}\n\n`;
  return { json: view, text: printable(head, /[^\P{Cc}\n]/gu) + `${view.body}\n` };
}

/** Sends them again the way they came, or drops them. @throws {InvalidArgumentError} where one is not there. */
export async function settleDeadLetters(settings: Settings, fate: 'replay' | 'drop', chosen: Chosen): Promise<Answer> {
  const letters = await sorted(settings, ({ number }) =>
    chosen === 'all' || chosen.includes(number) ? fate : 'leave',
  );
  const settled = letters.filter(({ number }) => chosen === 'all' || chosen.includes(number));
  const absent = chosen === 'all' ? [] : chosen.filter((number) => number > letters.length);
  if (absent.length > 0) throw notThere(absent, letters.length);
  const done = fate === 'replay' ? 'replayed' : 'dropped';
  const left = letters.length - settled.length;
  return { json: { [done]: settled.length, left }, text: `${settled.length} ${done}, ${left} left\n` };
}

/** The others that were chosen are settled all the same. */
function notThere(numbers: readonly number[], count: number): InvalidArgumentError {
  return new InvalidArgumentError(`no dead letter ${numbers.join(', ')}; there were ${count}`);
}

const HEAD = ['NUMBER', 'RECEIVED', 'REASON', 'KEY', 'BYTES'];

const isBorder = (line: number, count: number): boolean => line === 0 || line === 1 || line === count;

async function sorted(settings: Settings, decide: (letter: DeadLetter) => Fate): Promise<DeadLetter[]> {
  const logger = createLogger({ level: 'error', host: settings.host });
  const options = { ...brokerOptions(settings, 'hugenode cli', logger), initialRetries: 0 };
  const broker = await BrokerConnection.open(options);
  const letters: DeadLetter[] = [];
  try {
    await sortDeadLetters(broker, settings.rpc.topic, (letter) => {
      letters.push(letter);
      return decide(letter);
    });
    return letters;
  } finally {
    await broker.close();
  }
}

function viewOf({ body, ...letter }: DeadLetter) {
  return { ...letter, bytes: body.length, body: bodyText(body) };
}

/** The body as text, without the tokens that a context carries and without what would steer a terminal. */
function bodyText(body: Buffer): string {
  const text = printable(body.toString('utf8'));
  return text.replaceAll(/(auth_token\\*"\s*:\s*\\*")[^"\\]*/g, '$1***');
}

function printable(text: string, unwanted = /\p{Cc}/gu): string {
  return text.replaceAll(unwanted, '\u{fffd}');
}
