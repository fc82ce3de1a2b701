/**
 * One agent per domain prefix on a machine: two of them would not see each other's claims, and each would take back
 * what the other builds. The lock is an abstract unix socket (unix(7)): the kernel drops it with the process, however
 * that ends, and there is no file to be left behind.
 */
import { createServer } from 'node:net';
import { SettingsError } from './settings/load.ts';

export type AgentLock = { release(): void };

/** @throws {SettingsError} where another agent with that prefix runs on this machine. */
export async function lockAgent(domainPrefix: string): Promise<AgentLock> {
  const server = createServer((socket) => socket.destroy());
  const { promise, resolve, reject } = Promise.withResolvers<AgentLock>();
  server.once('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EADDRINUSE') return reject(error);
    const message = `an agent with the domain prefix «${domainPrefix}» (instances.domain_prefix) runs on this machine already`;
    return reject(new SettingsError(message, { cause: error }));
  });
  server.listen(`\0hugenode/${domainPrefix}`, () => resolve({ release: () => void server.close() }));
  return promise;
}
