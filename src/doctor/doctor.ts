/** `hugenode doctor` put together: the machine, libvirt and the broker of the settings, each asked once. */
import { isLocal } from '../hypervisor/libvirt_link.ts';
import type { Settings } from '../settings/schema.ts';
import { probeBroker } from './broker_probe.ts';
import type { Check } from './check.ts';
import { HostRoot } from './host_root.ts';
import { probeLibvirt } from './libvirt_probe.ts';
import { runChecks, type Report } from './runner.ts';

/** For one answer of libvirt or the broker. */
const PROBE_TIMEOUT_MS = 5_000;
/** For a check: several answers. */
const CHECK_DEADLINE_MS = 20_000;

export type DoctorOptions = {
  readonly checks: readonly Check[];
  readonly settings: Settings;
  /** See Context. */
  readonly settingsWords: string;
  readonly root?: HostRoot;
};

/** Runs the checks; never rejects, and takes as long as the slowest of them. */
export function examine({ checks, settings, settingsWords, root = new HostRoot() }: DoctorOptions): Promise<Report> {
  const context = {
    root,
    settings,
    settingsWords,
    nowMs: Date.now(),
    libvirt: once(() => probeLibvirt(settings, PROBE_TIMEOUT_MS)),
    broker: once(() => probeBroker(settings, PROBE_TIMEOUT_MS)),
  };
  return runChecks(checks, context, { isLocal: isLocal(settings.libvirt.uri), deadlineMs: CHECK_DEADLINE_MS });
}

/** The same promise for all who ask; nothing is begun before the first does. */
function once<T>(work: () => Promise<T>): () => Promise<T> {
  let begun: Promise<T> | undefined;
  return () => {
    begun ??= work();
    return begun;
  };
}
