/** Queues and exchanges: declared by all others as our settings have them, heard, and not filling up. */
import { deadLetterQueue } from '../../rpc/index.ts';
import { note, ok, problem, warning, type Check, type Verdict } from '../check.ts';
import type { BrokerFacts, BrokerReading, QueueState } from '../broker_probe.ts';
import type { Settings } from '../../settings/schema.ts';
import { elsewhere, quoted } from '../shell.ts';

/** A queue that nobody reads, and that holds so many, is one that grows. */
const MANY = 10_000;

export const queues: Check = {
  id: 'queues',
  title: 'queues have the flags that the settings want, and somebody reads them',
  subject: 'broker',
  run: async ({ settings, settingsWords, broker }) => decideQueues(await broker(), settings, settingsWords),
};

/** Pure. */
export function decideQueues(
  reading: BrokerReading,
  { rpc, host }: { readonly rpc: Pick<Settings['rpc'], 'topic'>; readonly host: string },
  settingsWords: string,
): Verdict[] {
  if (reading.is !== 'read')
    return [note({ what: 'cannot be told: the broker does not answer', why: 'see the check broker' })];
  const { facts } = reading;
  const existing = facts.things.filter(({ exists }) => exists);
  const refused = existing.filter(({ refusal, isForbidden }) => refusal !== undefined && !isForbidden);
  const letters = deadLetterQueue(rpc.topic);
  const own = facts.things.find(({ kind, name }) => kind === 'queue' && name === `${rpc.topic}.${host}`);
  return [
    ...refused.map((thing) => mismatch(thing, facts)),
    ...(refused.length === 0
      ? [
          ok(
            `${existing.length} of ${facts.things.length} exchanges and queues exist, all with the flags that the settings want`,
          ),
        ]
      : []),
    ...listeners(own, settingsWords),
    ...existing
      .filter(({ name, kind }) => kind === 'queue' && name !== letters)
      .flatMap((thing) => growing(thing, facts)),
    ...existing
      .filter(({ name, messages }) => name === letters && messages > 0)
      .map(({ messages }) =>
        warning({
          what: `${messages} requests could not be read and are kept in ${letters}`,
          why: 'somebody on the bus sends what is no request, and waits for an answer',
          mend: [words(settingsWords, 'dead-letters list')],
          details: { queue: letters, messages },
        }),
      ),
  ];
}

function mismatch(
  { name, kind, refusal, use }: QueueState,
  { adoptsExisting, virtualHost, isLoopback }: BrokerFacts,
): Verdict {
  const place = `-p ${quoted(virtualHost)}`;
  const command =
    kind === 'queue'
      ? {
          text: `rabbitmqctl delete_queue ${place} ${quoted(name)} --if-empty --if-unused`,
          does: 'instead of changing the setting, the command deletes the queue, unless it is in use or holds messages',
        }
      : {
          text: `rabbitmqctl list_exchanges ${place} name type durable auto_delete arguments`,
          does: 'the command shows what is there',
        };
  const complaint = {
    what: refusal ?? '',
    why: adoptsExisting
      ? 'rpc.adopt_existing_queues takes it as it is'
      : use === 'requests'
        ? `the agent does not start (406 PRECONDITION_FAILED); ${command.does}${elsewhere(isLoopback)}`
        : `the broker does not take samples or notifications, and they wait on this host; ${command.does}${elsewhere(isLoopback)}`,
    mend: [command.text],
    details: { name, kind },
  };
  return adoptsExisting ? note(complaint) : problem(complaint);
}

function listeners(own: QueueState | undefined, settingsWords: string): Verdict[] {
  if (own === undefined) return [];
  if (own.consumers > 0)
    return [ok(`an agent takes requests from ${own.name}`, { queue: own.name, consumers: own.consumers })];
  const mend = [words(settingsWords, 'serve')];
  if (own.messages > 0)
    return [
      warning({
        what: `${own.messages} requests wait in ${own.name}, and no agent takes them`,
        why: 'their callers wait, or have given up; a starting agent takes them all',
        mend,
        details: { queue: own.name, messages: own.messages },
      }),
    ];
  return [
    note({ what: `no agent takes requests from ${own.name}`, why: 'this host answers nobody until one runs', mend }),
  ];
}

function growing({ name, messages, consumers }: QueueState, { virtualHost, isLoopback }: BrokerFacts): Verdict[] {
  if (consumers > 0 || messages < MANY) return [];
  return [
    warning({
      what: `${messages} messages wait in ${name}, and nobody reads it`,
      why: `the queue grows until the broker raises an alarm and takes nothing more; start what reads it, or set notifications.declare_queues to false and delete the queue with what is in it${elsewhere(isLoopback)}`,
      mend: [`rabbitmqctl list_queues -p ${quoted(virtualHost)} name messages consumers`],
      details: { queue: name, messages },
    }),
  ];
}

function words(settingsWords: string, verb: string): string {
  return `hugenode ${settingsWords === '' ? '' : `${settingsWords} `}${verb}`;
}
