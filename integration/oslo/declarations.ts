/** What exchanges and queues a virtual host has, with every flag of their declaration. */
import { inject } from 'vitest';
import { z } from 'zod';

const flags = { name: z.string(), durable: z.boolean(), auto_delete: z.boolean() };
const queueSchema = z.object({
  ...flags,
  exclusive: z.boolean().default(false),
  arguments: z.record(z.string(), z.unknown()),
});
const exchangeSchema = z.object({ ...flags, type: z.string() });
const bindingSchema = z.object({ source: z.string(), destination: z.string(), routing_key: z.string() });

export type DeclaredQueue = z.output<typeof queueSchema>;

export type Declarations = {
  readonly queues: readonly DeclaredQueue[];
  readonly exchanges: readonly z.output<typeof exchangeSchema>[];
  readonly bindings: readonly z.output<typeof bindingSchema>[];
};

/** All of a virtual host's; exchanges without the broker's own. */
export async function declarations(vhost: string): Promise<Declarations> {
  const [queues, exchanges, bindings] = await Promise.all(
    ['queues', 'exchanges', 'bindings'].map((kind) => get(kind, vhost)),
  );
  return {
    queues: z.array(queueSchema).parse(queues),
    exchanges: z
      .array(exchangeSchema)
      .parse(exchanges)
      .filter(({ name }) => name !== '' && !name.startsWith('amq.')),
    bindings: z
      .array(bindingSchema)
      .parse(bindings)
      .filter(({ source }) => source !== ''),
  };
}

async function get(kind: string, vhost: string): Promise<unknown> {
  const address = `http://127.0.0.1:${inject('managementPort')}/api/${kind}/${encodeURIComponent(vhost)}`;
  const authorization = `Basic ${Buffer.from('guest:guest').toString('base64')}`;
  const answer = await fetch(address, { headers: { authorization }, signal: AbortSignal.timeout(10_000) });
  if (!answer.ok) throw new Error(`broker: GET ${address} answered ${answer.status}`);
  return answer.json();
}
