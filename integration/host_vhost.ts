/** A virtual host of its own on the machine's broker, for demo and bench; the tests have a broker in a container. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Adds it, open to guest, or leaves nothing; returns its transport URL. */
export async function addVhost(name: string): Promise<string> {
  await run('rabbitmqctl', ['--quiet', 'add_vhost', name]);
  try {
    await run('rabbitmqctl', ['--quiet', 'set_permissions', '-p', name, 'guest', '.*', '.*', '.*']);
  } catch (error) {
    await deleteVhost(name);
    throw error;
  }
  return `rabbit://guest:guest@127.0.0.1:5672/${name}`;
}

export async function deleteVhost(name: string): Promise<void> {
  await run('rabbitmqctl', ['--quiet', 'delete_vhost', name]);
}
