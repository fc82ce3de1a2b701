/** `hugenode serve`: runs the agent until a signal. The first SIGTERM or SIGINT finishes what is under way. */
import { once } from 'node:events';
import { startAgent } from '../agent.ts';
import { createLogger } from '../log.ts';
import type { Settings } from '../settings/schema.ts';

const STOP_GRACE_MS = 15_000;

export async function serve(settings: Settings): Promise<void> {
  const log = createLogger({ level: settings.log.level, host: settings.host });
  // After an exception that nobody caught the state is unknown; a new agent knows its instances from libvirt, and the
  // broker hands over again what was not answered.
  process.on('uncaughtException', (error) => {
    log.error('uncaught exception, the agent ends', { error });
    process.exitCode = 1;
    setTimeout(() => process.exit(), 100);
  });
  // A promise that nobody waits for is a bug of ours; it must be seen, and must not end every guest's agent.
  process.on('unhandledRejection', (error) => log.error('unhandled rejection', { error }));
  const agent = await startAgent(settings, log);
  const signals = new AbortController();
  const { signal } = signals;
  const [name] = await Promise.race([once(process, 'SIGTERM', { signal }), once(process, 'SIGINT', { signal })]);
  signals.abort();
  log.info('stopping', { signal: name });
  // A broker that refuses to read, a hypervisor that hangs: stopping ends all the same. What is unfinished is found by
  // the next agent.
  setTimeout(() => {
    log.error('not stopped in time, the agent ends');
    process.exit(1);
  }, settings.rpc.stop_timeout_ms + STOP_GRACE_MS).unref();
  await agent.stop();
}
