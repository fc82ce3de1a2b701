import { expect, test } from 'vitest';
import type { BrokerFacts, BrokerReading, QueueState } from '../../src/doctor/broker_probe.ts';
import { broker } from '../../src/doctor/checks/broker.ts';
import { busPermissions } from '../../src/doctor/checks/bus_permissions.ts';
import { queues } from '../../src/doctor/checks/queues.ts';
import { commandsParse, BROKER, linesOf, verdictsOf, matching, type Case } from './fake_root.ts';

const read = (facts: Partial<BrokerFacts>): BrokerReading => ({ is: 'read', facts: { ...BROKER, ...facts } });
const away = (reason: string, where = 'amqp://127.0.0.1:5672/'): BrokerReading => ({
  is: 'unreachable',
  where,
  isLoopback: where.includes('127.'),
  reason,
});
const thing = (over: Partial<QueueState>): QueueState => ({
  name: 'hugenode',
  kind: 'queue',
  use: 'requests',
  exists: true,
  refusal: undefined,
  isForbidden: false,
  messages: 0,
  consumers: 1,
  ...over,
});
const OWN = thing({ name: 'hugenode.cmp1' });
const REMOTE = { where: 'amqp://mq:5672/', isLoopback: false };
const SYSTEMD = { '/run/systemd/system/': 0o755 };

const cases: Case[] = [
  ['it answers', broker, {}, ['ok: amqp://127.0.0.1:5672/ answers']],
  ['an alarm', broker, { broker: read({ isBlocked: true }) }, [/^problem: .*alarm.*\nrabbitmq-diagnostics alarms$/]],
  [
    'guest from afar, unencrypted',
    broker,
    { broker: read(REMOTE) },
    [/^warning: amqp:\/\/mq:5672\/ lets guest in.*\nrabbitmqctl add_user/, /^note: the way to .* is not encrypted/],
  ],
  [
    'somebody else from afar, encrypted',
    broker,
    { broker: read({ ...REMOTE, hasDefaultLogin: false, isEncrypted: true }) },
    [/^ok/],
  ],
  [
    'settings that cannot be followed',
    broker,
    { broker: { is: 'invalid', reason: 'transport URL: no host given' } },
    ['problem: transport URL: no host given'],
  ],
  [
    'nothing listens here',
    broker,
    { broker: away('nothing listens there (ECONNREFUSED)'), files: SYSTEMD },
    [/^problem: .*\nsystemctl start rabbitmq-server.service$/],
  ],
  [
    'nothing listens there',
    broker,
    { broker: away('nothing listens there (ECONNREFUSED)', 'amqp://[2001:db8::1]:5672/') },
    [
      "problem: nothing listens there (ECONNREFUSED)\ngetent hosts '2001:db8::1' && timeout 5 bash -c 'exec 3<>\"/dev/tcp/$0/$1\"' '2001:db8::1' 5672",
    ],
  ],
  [
    'no such virtual host',
    broker,
    { broker: away("the broker refuses virtual host it's: it does not exist, or this user may not use it") },
    [
      /\nrabbitmqctl list_vhosts --quiet \| grep -qxF 'it'\\''s' \|\| rabbitmqctl add_vhost 'it'\\''s'\nrabbitmqctl set_permissions -p 'it'\\''s'/,
    ],
  ],
  [
    'a wrong password',
    broker,
    { broker: away('the broker refuses the password (403 ACCESS_REFUSED)') },
    [/\nrabbitmqctl authenticate_user "\$\{BROKER_USER:\?/],
  ],

  [
    'queues as wanted, and an agent',
    queues,
    { broker: read({ things: [OWN, thing({ exists: false })] }) },
    [/^ok: 1 of 2 exchanges and queues exist/, 'ok: an agent takes requests from hugenode.cmp1'],
  ],
  [
    'no agent yet',
    queues,
    { broker: read({ things: [thing({ name: 'hugenode.cmp1', exists: false, consumers: 0 })] }) },
    [/^ok: 0 of 1/, 'note: no agent takes requests from hugenode.cmp1\nhugenode serve'],
  ],
  [
    'requests that nobody takes',
    queues,
    { broker: read({ things: [thing({ name: 'hugenode.cmp1', consumers: 0, messages: 3 })] }) },
    [/^ok/, 'warning: 3 requests wait in hugenode.cmp1, and no agent takes them\nhugenode serve'],
  ],
  [
    'other flags than wanted, of a queue and an exchange',
    queues,
    {
      broker: read({
        virtualHost: 'a b',
        things: [
          thing({ refusal: 'queue hugenode exists with durable true' }),
          thing({ kind: 'exchange', name: 'nova', use: 'telling', refusal: 'exchange nova exists with durable true' }),
        ],
      }),
    },
    [
      "problem: queue hugenode exists with durable true\nrabbitmqctl delete_queue -p 'a b' 'hugenode' --if-empty --if-unused",
      /^problem: exchange nova exists.*\nrabbitmqctl list_exchanges -p 'a b' /,
    ],
  ],
  [
    'other flags than wanted, and taken as they are',
    queues,
    { broker: read({ adoptsExisting: true, things: [thing({ refusal: 'x' })] }) },
    [/^note: x/],
  ],
  [
    'dead letters, and a queue that grows',
    queues,
    {
      broker: read({
        things: [
          thing({ name: 'hugenode.dead_letters', messages: 2, consumers: 0 }),
          thing({ name: 'notifications.sample', messages: 10_000, consumers: 0 }),
          thing({ name: 'notifications.info', messages: 10_000, consumers: 1 }),
          thing({ name: 'notifications.error', messages: 9_999, consumers: 0 }),
        ],
      }),
    },
    [
      /^ok/,
      /^warning: 10000 messages wait in notifications.sample, and nobody reads it/,
      'warning: 2 requests could not be read and are kept in hugenode.dead_letters\nhugenode dead-letters list',
    ],
  ],
  ['no broker, no queues', queues, { broker: away('x') }, [/^note: cannot be told/]],

  ['all rights', busPermissions, {}, ['ok: may declare, consume and publish in virtual host /']],
  [
    'no rights on a queue, and none to publish; the user is not named',
    busPermissions,
    {
      broker: read({
        things: [
          thing({
            isForbidden: true,
            refusal: "ACCESS_REFUSED - access to queue 'hugenode' in vhost '/' refused for user 'anna'",
          }),
        ],
        refusedTrials: [{ what: 'publish to exchange nova', refusal: 'x' }],
      }),
    },
    [
      /^problem: may not use queue hugenode: ACCESS_REFUSED - access to queue 'hugenode' in vhost '\/' refused\nrabbitmqctl set_permissions -p '\/' /,
      /^problem: may not publish to exchange nova: x\n/,
    ],
  ],
  ['no broker, no rights', busPermissions, { broker: away('x') }, [/^note: cannot be told/]],
];

test.each(cases)('%s', async (_name, check, host, expected) => {
  const verdicts = await verdictsOf(check, host);
  expect(linesOf(verdicts)).toEqual(matching(expected));
  commandsParse(verdicts);
});
