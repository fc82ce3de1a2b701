/** The record of usage put together: the file, the machine's clocks, and the processes behind the guests. */
import { randomUUID } from 'node:crypto';
import type { AdmissionRules } from '../admission/rules.ts';
import type { HoldingsBook } from '../compute/holdings_book.ts';
import type { ComputeDriver } from '../compute_driver.ts';
import { readBootId } from '../host/process_start.ts';
import type { Logger } from '../log.ts';
import { readPresent } from './present_holdings.ts';
import type { ClockReading } from './record_clock.ts';
import { RunIdentities } from './run_identities.ts';
import { UsageRecorder } from './usage_recorder.ts';
import { UsageStore } from './usage_store.ts';

export type OpenUsageOptions = {
  /** A file; empty: in memory. */
  readonly path: string;
  readonly keepDays: number;
  readonly rows: number;
  readonly heartbeatMs: number;
  readonly driver: Pick<ComputeDriver, 'readHostMemory' | 'onLifecycle'>;
  readonly holdings: HoldingsBook;
  readonly rules: AdmissionRules;
  /** Where libvirt keeps pid files; undefined where the guests run on another host. */
  readonly pidPath: string | undefined;
  readonly domainPrefix: string;
  readonly log: Logger;
};

const DAY_MS = 86_400_000;

/** Opens the record; nothing is written before `start`. @throws where the file cannot be opened. */
export async function openUsage(options: OpenUsageOptions): Promise<UsageRecorder> {
  const { driver, holdings, rules, pidPath, domainPrefix, heartbeatMs, log } = options;
  // Unknown is as after a boot: then no process is taken for one that ran before.
  const bootId = (await readBootId()) ?? randomUUID();
  const identities = new RunIdentities({ pidPath, domainPrefix, bootId });
  const recorder = new UsageRecorder({
    store: UsageStore.open({ ...options, keepMs: options.keepDays * DAY_MS }),
    readClock: (): ClockReading => ({
      wallMs: Date.now(),
      monotonicMs: Number(process.hrtime.bigint() / 1_000_000n),
      bootId,
    }),
    readPresent: () => readPresent({ driver, holdings, rules, identityOf: (uuid) => identities.of(uuid) }),
    heartbeatMs,
    log,
  });
  driver.onLifecycle(({ uuid }) => {
    holdings.forget(uuid);
    recorder.notice();
  });
  return recorder;
}
