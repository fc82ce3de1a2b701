// What the broker says when it refuses a declaration, read and put in words an operator can act on.
// RabbitMQ 3.10: "PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'q' in vhost '/': received 'false' but
// current is 'true'"; arguments are "none" or "the value 'quorum' of type 'longstr'".

/** A declaration that what exists under the name contradicts. */
export interface Inequivalence {
  kind: 'queue' | 'exchange';
  name: string;
  virtualHost: string;
  /** `durable`, `auto_delete`, `type`, `x-queue-type`, ... */
  flag: string;
  existing: string;
  wanted: string;
}

/** What exists under the name of a declaration has other flags; the next attempt takes it as it is. */
export class AdoptedError extends Error {
  constructor(found: Inequivalence) {
    super(
      `${titleOf(found)} has ${flagText(found.flag, found.existing)} where ${found.wanted} is wanted: used as it is`,
    );
    this.name = 'AdoptedError';
  }
}

const INEQUIVALENT =
  /inequivalent arg '([^']*)' for (queue|exchange) '(.*)' in vhost '(.*)': received (.*?) but current is (.*?)"?$/s;

/** Reads the broker's text; undefined where it is of another kind or version. */
export function readInequivalence(text: string): Inequivalence | undefined {
  const match = INEQUIVALENT.exec(text);
  if (!match) return undefined;
  const [, flag = '', kind, name = '', virtualHost = '', wanted = '', existing = ''] = match;
  return {
    kind: kind === 'queue' ? 'queue' : 'exchange',
    name,
    virtualHost,
    flag,
    existing: valueOf(existing),
    wanted: valueOf(wanted),
  };
}

/** The refusal in words: what exists, what was wanted, what to do; the broker's own text where it is not understood. */
export function explainRefusal(text: string): string {
  const found = readInequivalence(text);
  if (found) {
    const { kind, flag, existing, wanted } = found;
    const deletion =
      kind === 'queue'
        ? `delete the queue (rabbitmqctl -p ${found.virtualHost} delete_queue ${found.name}) once nobody uses it`
        : 'delete the exchange once nobody uses it';
    return (
      `${titleOf(found)} exists with ${flagText(flag, existing)}, and ${flagText(flag, wanted)} is wanted: ` +
      `${settingFor(found)}, or ${deletion}`
    );
  }
  const locked = /RESOURCE_LOCKED.*locked queue '(.*?)' in vhost/s.exec(text);
  if (locked) return `queue ${locked[1]} is held by another connection alone (exclusive): end that one. ${text}`;
  const unfit = /invalid property 'auto-delete' for queue '(.*?)' in vhost/s.exec(text);
  if (unfit) return `queue ${unfit[1]}: a quorum queue cannot be auto-deleted: set rpc.auto_delete_queues to false`;
  if (/ACCESS_REFUSED/.test(text)) return `this user may not do that (rabbitmqctl set_permissions): ${text}`;
  return text;
}

function titleOf({ kind, name, virtualHost }: Inequivalence): string {
  return `${kind} ${name} in virtual host ${virtualHost}`;
}

function flagText(flag: string, value: string): string {
  return value === 'none' ? `no ${flag}` : `${flag} ${value}`;
}

function valueOf(text: string): string {
  const typed = /^the value '(.*)' of type '[^']*'$/s.exec(text);
  const plain = /^'(.*)'$/s.exec(text);
  return typed?.[1] ?? plain?.[1] ?? text;
}

/** Which of our settings makes the two agree, by the flag that differs. */
function settingFor({ name, flag, existing }: Inequivalence): string {
  if (/_fanout(_|$)/.test(name) && (flag === 'durable' || flag === 'x-queue-type')) {
    return `set rpc.transient_queues to ${existing === 'true' || existing === 'quorum' ? 'quorum' : 'classic'}`;
  }
  switch (flag) {
    case 'durable':
      return existing === 'true'
        ? 'set rpc.queues to durable (or quorum) as the other side has it'
        : 'set rpc.queues to classic as the other side has it';
    case 'auto_delete':
      return `set rpc.auto_delete_queues to ${existing}`;
    case 'x-queue-type':
      return existing === 'quorum' ? 'set rpc.queues to quorum' : 'set rpc.queues to classic or durable';
    case 'x-delivery-limit':
      return `set rpc.quorum_delivery_limit to ${existing === 'none' ? '0' : existing}`;
    case 'x-max-in-memory-length':
      return `set rpc.quorum_max_memory_length to ${existing === 'none' ? '0' : existing}`;
    case 'x-max-in-memory-bytes':
      return `set rpc.quorum_max_memory_bytes to ${existing === 'none' ? '0' : existing}`;
    case 'x-expires':
      return 'set rpc.transient_queues_ttl_ms as the other side has it';
    case 'type':
      return 'use another name (rpc.exchange, rpc.topic)';
    default:
      return 'set rpc.adopt_existing_queues to true to use it as it is';
  }
}
