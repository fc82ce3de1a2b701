/** Permissions on the virtual host: to declare, to consume and to publish, each tried. */
import { note, ok, problem, type Check, type Verdict } from '../check.ts';
import type { BrokerReading } from '../broker_probe.ts';
import { elsewhere, quoted } from '../shell.ts';

export const busPermissions: Check = {
  id: 'bus-permissions',
  title: 'the agent may declare, consume and publish on its virtual host',
  subject: 'broker',
  run: async ({ broker }) => decidePermissions(await broker()),
};

/** Pure. */
export function decidePermissions(reading: BrokerReading): Verdict[] {
  if (reading.is !== 'read')
    return [note({ what: 'cannot be told: the broker does not answer', why: 'see the check broker' })];
  const { virtualHost, isLoopback, things, refusedTrials } = reading.facts;
  const forbidden = [
    ...things
      .filter(({ isForbidden }) => isForbidden)
      .map(({ kind, name, refusal = '' }) => ({ what: `use ${kind} ${name}`, refusal })),
    ...refusedTrials,
  ];
  if (forbidden.length === 0) return [ok(`may declare, consume and publish in virtual host ${virtualHost}`)];
  return forbidden.map(({ what, refusal }) =>
    problem({
      what: `may not ${what}: ${withoutUser(refusal)}`,
      why: `the agent does not start, or tells nobody; the command gives all rights on this virtual host${elsewhere(isLoopback)}`,
      mend: [
        `rabbitmqctl set_permissions -p ${quoted(virtualHost)} "\${BROKER_USER:?the user in rpc.transport_url}" '.*' '.*' '.*'`,
      ],
      details: { what },
    }),
  );
}

/** RabbitMQ names the user in its refusal: "refused for user 'x'". */
function withoutUser(text: string): string {
  return text.replaceAll(/ for user '[^']*'/g, '');
}
