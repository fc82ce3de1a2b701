/** `hugenode watch`: prints what becomes of instances until it is told to stop, or nobody reads it any more. */
import type { HugenodeClient, LifecycleNotification, WatchOptions } from '../client/index.ts';

/** As wide as the longest of its kind, so that lines stand below each other without knowing what comes. */
const EVENT_WIDTH = 'create.error'.length;
const STATE_WIDTH = 'building/spawning'.length;

/** Resolves after SIGINT or SIGTERM, or when standard output is closed. */
export async function watch(client: HugenodeClient, what: WatchOptions, asJson: boolean): Promise<void> {
  await using stream = await client.notifications(what);
  const stop = (): void => void stream.close();
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  // Such as EPIPE, where it is piped into a program that has seen enough.
  process.stdout.on('error', stop);
  for await (const told of stream) {
    process.stdout.write(asJson ? `${JSON.stringify(told)}\n` : notificationLine(told));
  }
}

/** One line of the table for people. Pure. */
export function notificationLine({ timestamp, event, uuid, payload }: LifecycleNotification): string {
  const { host, display_name: name, state, state_description: task, exception } = payload;
  const columns = [
    timestamp,
    event.padEnd(EVENT_WIDTH),
    uuid,
    host ?? '-',
    (task === '' ? state : `${state}/${task}`).padEnd(STATE_WIDTH),
    name,
    ...(exception === undefined ? [] : [exception]),
  ];
  // What others have sent must not steer a terminal.
  return `${columns.join('  ').replaceAll(/\p{Cc}/gu, ' ')}\n`;
}
