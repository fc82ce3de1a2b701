/** The broker: it is reached, takes messages, and is not open to everybody on the way. */
import { note, ok, problem, warning, type Check, type Verdict } from '../check.ts';
import { hasSystemd } from '../host_facts.ts';
import type { BrokerReading } from '../broker_probe.ts';
import { elsewhere, quoted, startCommand } from '../shell.ts';

export const broker: Check = {
  id: 'broker',
  title: 'the broker answers and takes messages',
  subject: 'broker',
  run: async ({ root, broker: probe }) => decideBroker(await probe(), await hasSystemd(root)),
};

/** Pure. */
export function decideBroker(reading: BrokerReading, systemd: boolean): Verdict[] {
  if (reading.is === 'invalid')
    return [problem({ what: reading.reason, why: 'the agent does not start with these settings (section rpc)' })];
  if (reading.is === 'unreachable') return [unreachable(reading, systemd)];
  const { where, isBlocked, isEncrypted, isLoopback, hasDefaultLogin } = reading.facts;
  const details = { broker: where };
  const found: Verdict[] = [];
  if (isBlocked)
    found.push(
      problem({
        what: `${where} takes no messages: it has an alarm of its own (memory or disk)`,
        why: `requests are taken and not answered until there is room again${elsewhere(isLoopback)}`,
        mend: ['rabbitmq-diagnostics alarms'],
        details,
      }),
    );
  if (hasDefaultLogin && !isLoopback)
    found.push(
      warning({
        what: `${where} lets guest in from other machines`,
        why: "that login is known to everybody, and whoever is on the bus can start and delete guests; then change rpc.transport_url to the new one; the command is for the broker's machine",
        mend: [
          `rabbitmqctl add_user hugenode "$(openssl rand -hex 24 | tee /dev/stderr)" && rabbitmqctl set_permissions -p ${quoted(reading.facts.virtualHost)} hugenode '.*' '.*' '.*'`,
        ],
        details,
      }),
    );
  if (!isEncrypted && !isLoopback)
    found.push(
      note({
        what: `the way to ${where} is not encrypted`,
        why: 'whoever can listen on the network sees the login and every request; rabbits:// in rpc.transport_url encrypts it',
        details,
      }),
    );
  return found.length > 0 ? found : [ok(`${where} answers`, details)];
}

function unreachable(
  { where, isLoopback, reason }: Extract<BrokerReading, { is: 'unreachable' }>,
  systemd: boolean,
): Verdict {
  return problem({
    what: reason,
    why: `the agent hears no request and can tell nobody of its guests; nothing is lost while it is away for a while${elsewhere(isLoopback)}`,
    mend: mendOf(reason, where, isLoopback, systemd),
    details: { broker: where },
  });
}

function mendOf(reason: string, where: string, isLoopback: boolean, systemd: boolean): string[] {
  const user = '"${BROKER_USER:?the user in rpc.transport_url}"';
  const [, virtualHost] = /refuses virtual host (.*?): it does not exist/.exec(reason) ?? [];
  if (virtualHost !== undefined)
    return [
      `rabbitmqctl list_vhosts --quiet | grep -qxF ${quoted(virtualHost)} || rabbitmqctl add_vhost ${quoted(virtualHost)}`,
      `rabbitmqctl set_permissions -p ${quoted(virtualHost)} ${user} '.*' '.*' '.*'`,
    ];
  if (/ACCESS.REFUSED|login refused/.test(reason) && !reason.includes('ECONNREFUSED'))
    return [`rabbitmqctl authenticate_user ${user}`];
  if (isLoopback && reason.includes('ECONNREFUSED')) return [startCommand('rabbitmq-server', systemd)];
  const [, address, name, port] = /:\/\/(?:\[([^\]]+)\]|([^,/:]+)):(\d+)/.exec(where) ?? [];
  const host = quoted(address ?? name ?? '');
  return [`getent hosts ${host} && timeout 5 bash -c 'exec 3<>"/dev/tcp/$0/$1"' ${host} ${port}`];
}
