/**
 * One agent per set of guests on a machine: two of them would not see each other's claims, and each would take back
 * what the other builds. The lock is an abstract unix socket (unix(7)): the kernel drops it with the process, however
 * that ends, and there is no file to be left behind.
 */
import { createHash } from 'node:crypto';
import { createServer } from 'node:net';
import { SettingsError } from './settings/load.ts';

export type AgentLock = { release(): void };

/**
 * Locks what only one agent may own.
 * @param setting the setting's name, for the message; @param value what is owned.
 * @throws {SettingsError} where another agent on this machine owns it.
 */
export async function lockSetting(setting: string, value: string): Promise<AgentLock> {
  const server = createServer((socket) => socket.destroy());
  const { promise, resolve, reject } = Promise.withResolvers<AgentLock>();
  server.once('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EADDRINUSE') return reject(error);
    const message = `another agent on this machine has the same ${setting} (${value}): each needs its own`;
    return reject(new SettingsError(message, { cause: error }));
  });
  // A digest, because such a name may have 107 bytes only.
  const name = createHash('sha256').update(`${setting}=${value}`).digest('hex');
  server.listen(`\0hugenode/${name}`, () => resolve({ release: () => void server.close() }));
  return promise;
}
