/**
 * Our server for the bench: `node_server.ts URL EXCHANGE TOPIC STORE`, driven as python_server.py is. It does what the
 * agent's does: arguments through the schema of create_instance, log lines, an acknowledgement after the answer. STORE
 * is a file for requests that are kept on disk, or `-` for a method of which nothing is kept.
 */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { createLogger as createWinston, format, transports } from 'winston';
import { parseArgs } from '../../../src/api/faults.ts';
import { createInstanceArgs } from '../../../src/api/schemas.ts';
import { BrokerConnection, RpcServer, SqliteRequestStore, type Method } from '../../../src/rpc/index.ts';

const [url = '', exchange = '', topic = '', storePath = '-'] = process.argv.slice(2);
// As the agent's, but for where the lines go.
const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
const logger = createWinston({
  level: 'info',
  format: format.combine(format.timestamp(), format.json()),
  transports: [new transports.Stream({ stream: nowhere })],
});

let done = 0;
let startedMs = 0;
let lastMs = 0;
const work: Method = {
  readOnly: storePath === '-',
  handler: async ({ method, args, requestId }) => {
    const { uuid } = parseArgs(createInstanceArgs, method, args);
    logger.info('instance runs', { instance: uuid, requestId });
    lastMs = performance.now();
    done += 1;
    return { uuid, placement: [{ node: 0, pages: 64 }] };
  },
};
const broker = await BrokerConnection.open({ transportUrl: url, clientName: 'bench', logger });
const store =
  storePath === '-'
    ? undefined
    : SqliteRequestStore.open({ path: storePath, keepMs: 3_600_000, limit: 100_000, logger });
let cpuBefore = process.cpuUsage();

for await (const order of createInterface({ input: process.stdin })) {
  if (order === 'start') {
    cpuBefore = process.cpuUsage();
    startedMs = performance.now();
    await RpcServer.start(broker, {
      exchange,
      topic,
      server: 'bench',
      endpoints: [{ namespace: null, version: '1.0', methods: { work } }],
      ...(store && { store }),
      logger,
    });
  } else {
    const { user, system } = process.cpuUsage(cpuBefore);
    const rssKib = Number(/VmRSS:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
    const report = { done, spanMs: lastMs - startedMs, cpuMs: (user + system) / 1000, rssMib: rssKib / 1024 };
    process.stdout.write(`${JSON.stringify(report)}\n`);
  }
}
process.exit();
