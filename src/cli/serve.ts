/**
 * `hugenode serve`: runs the agent until a signal. The first SIGTERM or SIGINT finishes what is under way, a second one
 * ends it there.
 */
import { startAgent } from '../agent.ts';
import { createLogger, type Logger } from '../log.ts';
import type { Settings } from '../settings/schema.ts';

const STOP_GRACE_MS = 15_000;
/** npm hands on a Ctrl-C that the terminal has sent to all: within this time it is the same one. */
const ECHO_MS = 300;

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
  log.info('stopping', { signal: await stopSignal(log) });
  // A broker that refuses to read, a hypervisor that hangs: stopping ends all the same. What is unfinished is found by
  // the next agent.
  setTimeout(() => {
    log.error('not stopped in time, the agent ends');
    process.exit(1);
  }, settings.rpc.stop_timeout_ms + STOP_GRACE_MS).unref();
  await agent.stop();
}

/** Resolves with the first signal; the second one ends the process. */
function stopSignal(log: Logger): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let askedAt: number | undefined;
  for (const signal of ['SIGTERM', 'SIGINT']) {
    process.on(signal, () => {
      if (askedAt === undefined) {
        askedAt = performance.now();
        resolve(signal);
      } else if (performance.now() - askedAt > ECHO_MS) {
        // Whoever asks twice waits no longer. What is not answered is delivered again, and what is half-built is taken
        // back by the next agent, as after a crash.
        log.error('told twice to stop, the agent ends', { signal });
        process.exit(1);
      }
    });
  }
  return promise;
}
