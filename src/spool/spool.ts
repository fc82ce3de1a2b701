/**
 * Nothing that is told gets lost: each message is on disk when `post` returns, goes to the broker in the order of its
 * lane, and goes from the disk when the broker has confirmed it. A message that was confirmed while the agent died is
 * sent again with the same ids, and consumers that look at them take it once.
 *
 * The spool is bounded in messages and bytes of each lane, so that one lane cannot push out another: the oldest go. While
 * the disk takes nothing (full, broken) messages wait in memory within a bound, and {@link Spool.problems} says so.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../log.ts';
import type { LaneTotals, SpoolFile, SpoolMessage } from './spool_file.ts';

export type SpoolOptions = {
  /** Called again where it failed and something is to be written. */
  readonly openFile: () => SpoolFile;
  /** Resolves when the broker has the message. */
  readonly deliver: (message: SpoolMessage) => Promise<void>;
  /** Whether an error of `deliver` is the broker's absence, which others tell of. */
  readonly isAbsence: (error: unknown) => boolean;
  /** Of each lane, on disk. */
  readonly bound: LaneTotals;
  /** Of each lane, while the disk takes nothing. */
  readonly memoryBound: LaneTotals;
  readonly retryDelayMs: number;
  /** Whether the file outlives the process. */
  readonly isDurable: boolean;
  readonly log: Logger;
};

export type LaneFigures = {
  readonly waiting: number;
  readonly bytes: number;
  /** Since the start. */
  readonly sent: number;
  readonly lost: number;
};

/** A message that waits; `id` where it is in the file. */
type Entry = { readonly message: SpoolMessage; id?: number };

type Lane = {
  readonly name: string;
  readonly onDisk: LaneTotals;
  readonly memory: Entry[];
  memoryBytes: number;
  /** Numbers up to this one were confirmed, also where the disk still has them. */
  sentUpTo: number;
  /** The one that is on its way. */
  inFlight: Entry | undefined;
  sent: number;
  lost: number;
  problem: string | null;
  isSending: boolean;
  /** Resolves when nothing was left to send. */
  sending: Promise<void>;
};

/** Notes that are kept with messages: undefined takes one away. */
export type NoteChanges = Readonly<Record<string, string | undefined>>;

export class Spool {
  readonly #options: SpoolOptions;
  readonly #lanes = new Map<string, Lane>();
  readonly #notes = new Map<string, string>();
  /** What the file does not have yet. */
  readonly #unwrittenNotes = new Map<string, string | undefined>();
  readonly #unwrittenRemovals = new Set<number>();
  readonly #stopping = new AbortController();
  #file: SpoolFile | undefined;
  #fileProblem: string | null = null;
  #isClosed = false;
  #isStarted = false;

  /** Opens the file; where the disk takes nothing, starts in memory. @throws what `openFile` throws for other reasons. */
  constructor(options: SpoolOptions) {
    this.#options = options;
    try {
      this.#open();
    } catch (error) {
      if (!isDiskProblem(error)) throw error;
      this.#tellFileProblem(error);
    }
  }

  /** Begins to send: what an earlier process left, and what was posted meanwhile. */
  start(): void {
    this.#isStarted = true;
    for (const lane of this.#lanes.values()) this.#send(lane);
  }

  /** Takes messages and changes notes, all or nothing; never throws, never waits. */
  post(messages: readonly SpoolMessage[], notes: NoteChanges = {}): void {
    for (const [name, value] of Object.entries(notes)) {
      if (value === undefined) this.#notes.delete(name);
      else this.#notes.set(name, value);
      this.#unwrittenNotes.set(name, value);
    }
    const touched = new Set<Lane>();
    for (const message of messages) {
      const lane = this.#lane(message.lane);
      lane.memory.push({ message });
      lane.memoryBytes += Buffer.byteLength(message.body);
      touched.add(lane);
    }
    this.#write();
    for (const lane of touched) {
      this.#keepWithinMemory(lane);
      this.#send(lane);
    }
  }

  note(name: string): string | undefined {
    return this.#notes.get(name);
  }

  /** Notes whose names begin like that. */
  notesUnder(prefix: string): [name: string, value: string][] {
    return [...this.#notes].filter(([name]) => name.startsWith(prefix));
  }

  /** Why messages are not kept, or not taken by a broker that is there; empty where all is well. */
  get problems(): string[] {
    const lanes = [...this.#lanes.values()].flatMap(({ name, problem }) =>
      problem === null ? [] : [`${name} are not taken: ${problem}`],
    );
    return this.#fileProblem === null ? lanes : [`the spool cannot be written: ${this.#fileProblem}`, ...lanes];
  }

  get figures(): Readonly<Record<string, LaneFigures>> {
    return Object.fromEntries(
      [...this.#lanes.values()].map((lane) => [
        lane.name,
        {
          waiting: lane.onDisk.messages + lane.memory.length,
          bytes: lane.onDisk.bytes + lane.memoryBytes,
          sent: lane.sent,
          lost: lane.lost,
        },
      ]),
    );
  }

  /** Sends on for at most that long, and then no more; what is posted from now on is kept for the next process. */
  async drain(timeoutMs: number): Promise<void> {
    const timeUp = new AbortController();
    const sending = [...this.#lanes.values()].map((lane) => lane.sending);
    await Promise.race([
      Promise.all(sending),
      sleep(timeoutMs, undefined, { signal: timeUp.signal }).catch(() => undefined),
    ]);
    timeUp.abort();
    this.#stopping.abort();
  }

  /** Closes the file and says what is left in it, and what is lost. */
  close(): void {
    this.#stopping.abort();
    this.#write();
    this.#isClosed = true;
    for (const lane of this.#lanes.values()) {
      const { isDurable, log } = this.#options;
      const kept = isDurable ? lane.onDisk.messages : 0;
      const lost = lane.onDisk.messages + lane.memory.length - kept;
      if (kept > 0) log.info('messages wait for the next start', { lane: lane.name, messages: kept });
      if (lost > 0) log.error('messages are lost: the agent ends', { lane: lane.name, lost });
    }
    this.#file?.close();
    this.#file = undefined;
  }

  #lane(name: string): Lane {
    const known = this.#lanes.get(name);
    if (known !== undefined) return known;
    const lane: Lane = {
      name,
      onDisk: { messages: 0, bytes: 0 },
      memory: [],
      memoryBytes: 0,
      sentUpTo: 0,
      inFlight: undefined,
      sent: 0,
      lost: 0,
      problem: null,
      isSending: false,
      sending: Promise.resolve(),
    };
    this.#lanes.set(name, lane);
    return lane;
  }

  #open(): SpoolFile {
    if (this.#file !== undefined) return this.#file;
    const file = this.#options.openFile();
    for (const [name, totals] of file.totals()) Object.assign(this.#lane(name).onDisk, totals);
    for (const [name, value] of file.notes()) {
      if (!this.#unwrittenNotes.has(name)) this.#notes.set(name, value);
    }
    this.#file = file;
    return file;
  }

  /** Moves all that is in memory alone into the file, as far as the disk lets it. */
  #write(): void {
    const lanes = [...this.#lanes.values()].filter((lane) => lane.memory.length > 0);
    if (lanes.length === 0 && this.#unwrittenNotes.size === 0 && this.#unwrittenRemovals.size === 0) return;
    if (this.#isClosed) return;
    const ids: { entry: Entry; id: number }[] = [];
    try {
      const file = this.#open();
      file.transact(() => {
        for (const id of this.#unwrittenRemovals) file.remove(id);
        for (const [name, value] of this.#unwrittenNotes) file.note(name, value);
        for (const lane of lanes) for (const entry of lane.memory) ids.push({ entry, id: file.add(entry.message) });
      });
    } catch (error) {
      this.#tellFileProblem(error);
      return;
    }
    this.#unwrittenRemovals.clear();
    this.#unwrittenNotes.clear();
    for (const { entry, id } of ids) entry.id = id;
    for (const lane of lanes) {
      lane.onDisk.messages += lane.memory.length;
      lane.onDisk.bytes += lane.memoryBytes;
      lane.memory.length = 0;
      lane.memoryBytes = 0;
      this.#keepWithinDisk(lane);
    }
    if (this.#fileProblem !== null) this.#options.log.info('the spool can be written again');
    this.#fileProblem = null;
  }

  #keepWithinDisk(lane: Lane): void {
    const { bound } = this.#options;
    const { onDisk } = lane;
    const file = this.#file;
    const isOver = () => onDisk.messages > bound.messages || onDisk.bytes > bound.bytes;
    if (file === undefined || !isOver()) return;
    const before = { ...onDisk };
    const lost: unknown[] = [];
    try {
      file.transact(() => {
        // Not the one that is on its way: the broker may have it.
        const from = Math.max(lane.sentUpTo, lane.inFlight?.id ?? 0);
        while (isOver()) {
          const [old] = file.oldest(lane.name, from, 1);
          if (old === undefined) break;
          file.remove(old.id);
          onDisk.messages -= 1;
          onDisk.bytes -= old.bytes;
          lost.push(old.about);
        }
      });
    } catch (error) {
      Object.assign(onDisk, before);
      this.#tellFileProblem(error);
      return;
    }
    this.#tellLost(lane, lost);
  }

  #keepWithinMemory(lane: Lane): void {
    const { memoryBound } = this.#options;
    const lost: unknown[] = [];
    while (lane.memory.length > memoryBound.messages || lane.memoryBytes > memoryBound.bytes) {
      const entry = lane.memory.shift();
      if (entry === undefined) break;
      lane.memoryBytes -= Buffer.byteLength(entry.message.body);
      lost.push(entry.message.about);
    }
    this.#tellLost(lane, lost);
  }

  #tellLost(lane: Lane, lost: readonly unknown[]): void {
    if (lost.length === 0) return;
    lane.lost += lost.length;
    this.#options.log.error('messages are lost: too many wait for the broker', {
      lane: lane.name,
      lost: lost.length,
      lost_since_start: lane.lost,
      oldest: lost[0],
      newest: lost.at(-1),
    });
  }

  #tellFileProblem(error: unknown): void {
    const problem = error instanceof Error ? error.message : String(error);
    if (this.#fileProblem !== problem) {
      this.#options.log.error('the spool cannot be written, messages wait in memory', { error: problem });
    }
    this.#fileProblem = problem;
  }

  #send(lane: Lane): void {
    if (lane.isSending || !this.#isStarted || this.#stopping.signal.aborted) return;
    lane.isSending = true;
    lane.sending = this.#sendAll(lane);
  }

  async #sendAll(lane: Lane): Promise<void> {
    const { deliver, retryDelayMs } = this.#options;
    while (!this.#stopping.signal.aborted) {
      try {
        const entry = this.#head(lane);
        if (entry === undefined) {
          // In the same turn as the look above, so that no message can slip in between unseen.
          lane.isSending = false;
          return;
        }
        lane.inFlight = entry;
        await deliver(entry.message);
        this.#sent(lane, entry);
      } catch (error) {
        this.#tellProblem(lane, error);
        lane.inFlight = undefined;
        // What could not be written may be by now.
        if (this.#fileProblem !== null) this.#write();
        await sleep(retryDelayMs, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
      }
    }
  }

  #head(lane: Lane): Entry | undefined {
    if (lane.onDisk.messages === 0) return lane.memory[0];
    const file = this.#file;
    if (file === undefined) return undefined;
    return file.first(lane.name, lane.sentUpTo) ?? lane.memory[0];
  }

  #sent(lane: Lane, entry: Entry): void {
    lane.sent += 1;
    lane.problem = null;
    lane.inFlight = undefined;
    const bytes = Buffer.byteLength(entry.message.body);
    const { id } = entry;
    if (id === undefined) {
      // By identity: the bound may have dropped it meanwhile.
      if (lane.memory[0] !== entry) return;
      lane.memory.shift();
      lane.memoryBytes -= bytes;
      return;
    }
    lane.sentUpTo = id;
    lane.onDisk.messages -= 1;
    lane.onDisk.bytes -= bytes;
    this.#unwrittenRemovals.add(id);
    this.#write();
  }

  #tellProblem(lane: Lane, error: unknown): void {
    const problem = this.#options.isAbsence(error) ? null : String(error);
    if (problem !== null && problem !== lane.problem) {
      this.#options.log.error('messages are not taken by the broker, trying again', {
        lane: lane.name,
        error: problem,
      });
    }
    lane.problem = problem;
  }
}

/** SQLITE_IOERR, SQLITE_FULL, ENOSPC, EDQUOT: the file is right, and the disk takes nothing now. */
function isDiskProblem(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if ('errcode' in error && typeof error.errcode === 'number') return [10, 13].includes(error.errcode & 0xff);
  return 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
}
