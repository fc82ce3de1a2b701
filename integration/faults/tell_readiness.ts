/**
 * Loaded into an agent before its own code (`NODE_OPTIONS=--import`): writes each change of its server's readiness among
 * its log lines. During an outage nobody could ask for it over the bus.
 */
import { RpcServer } from '../../src/rpc/server.ts';

const LOOK_EVERY_MS = 10;

const start = RpcServer.start.bind(RpcServer);

RpcServer.start = async (...args) => {
  const server = await start(...args);
  let told = '';
  setInterval(() => {
    const line = JSON.stringify({ message: 'readiness', ...server.readiness });
    if (line !== told) process.stderr.write(`${line}\n`);
    told = line;
  }, LOOK_EVERY_MS).unref();
  return server;
};
