/** What a check is and what it says. Decisions are pure: a check reads, and then decides on what it has read. */
import type { Settings } from '../settings/schema.ts';
import type { BrokerReading } from './broker_probe.ts';
import type { HostRoot } from './host_root.ts';
import type { LibvirtReading } from './libvirt_probe.ts';

/** From well to broken; `problem`: guests will not start, or not be answered for, until it is mended. */
export const LEVELS = ['ok', 'note', 'warning', 'problem'] as const;
export type Level = (typeof LEVELS)[number];

export type Verdict = {
  readonly level: Level;
  /** What was found, in one sentence. */
  readonly what: string;
  /** Why it matters; empty where all is well. */
  readonly why: string;
  /** Shell commands for root on the host, to be run in this order; null where there is none. */
  readonly mend: readonly string[] | null;
  /** The numbers behind it. */
  readonly details: Readonly<Record<string, unknown>>;
};

export type Finding = { readonly check: string } & Verdict;

/**
 * Whose state a check looks at. With a libvirt elsewhere the kernel here is not that of the guests, and checks of
 * `kernel` are left out.
 */
export type Subject = 'kernel' | 'libvirt' | 'broker' | 'agent';

export type Context = {
  readonly root: HostRoot;
  readonly settings: Settings;
  /** How `hugenode` was told of its settings, to be repeated in commands: `--config '/etc/…'`, or empty. */
  readonly settingsWords: string;
  readonly nowMs: number;
  /** Asked once, however many checks want it; never rejects. */
  readonly libvirt: () => Promise<LibvirtReading>;
  /** Asked once, however many checks want it; never rejects. */
  readonly broker: () => Promise<BrokerReading>;
};

export type Check = {
  /** Short and stable: `--check` takes it. */
  readonly id: string;
  readonly title: string;
  readonly subject: Subject;
  readonly run: (context: Context) => Promise<readonly Verdict[]>;
};

type Details = Verdict['details'];

export function ok(what: string, details: Details = {}): Verdict {
  return { level: 'ok', what, why: '', mend: null, details };
}

export type Complaint = {
  readonly what: string;
  readonly why: string;
  readonly mend?: readonly string[] | null;
  readonly details?: Details;
};

export const note = (complaint: Complaint): Verdict => complain('note', complaint);
export const warning = (complaint: Complaint): Verdict => complain('warning', complaint);
export const problem = (complaint: Complaint): Verdict => complain('problem', complaint);

function complain(level: Level, { what, why, mend = null, details = {} }: Complaint): Verdict {
  return { level, what, why, mend, details };
}

/** For what this user may not read: not knowing is not the same as being well. */
export function unreadable(id: string, what: string, paths: readonly string[], settingsWords: string): Verdict {
  return warning({
    what: `cannot be told: ${what}`,
    why: `this user may not read ${paths.join(', ')}; root may`,
    mend: [`sudo hugenode ${settingsWords === '' ? '' : `${settingsWords} `}doctor --check ${id}`],
    details: { unreadable: paths },
  });
}
