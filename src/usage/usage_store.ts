/**
 * The history on disk (node:sqlite): one row per holding from its begin to its end, and the last moment that was looked
 * at. A look is one transaction. One process at a time.
 *
 * synchronous=NORMAL: what was written survives the death of the process at any moment; a power failure may take the last
 * looks along, and after it no guest runs on.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Logger } from '../log.ts';
import { openSqliteFile, openSqliteMemory, transact } from '../sqlite_file.ts';
import type { Change, OpenInterval } from './history.ts';
import type { Beat } from './record_clock.ts';
import type { UsageQuery, UsageSum } from './usage_report.ts';

export type UsageStoreOptions = {
  /** A file; empty: in memory, as long as the process lives. */
  readonly path: string;
  /** How long what has ended is kept, in ms. */
  readonly keepMs: number;
  /** How many rows there may be; beyond, what ended first goes. */
  readonly rows: number;
  readonly log: Logger;
};

const PRUNE_EVERY = 64;

// Version 1. STRICT, so that a bug here is an error here.
const SCHEMA = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  CREATE TABLE IF NOT EXISTS intervals (
    id            INTEGER PRIMARY KEY,
    instance_uuid TEXT NOT NULL,
    project_id    TEXT NOT NULL,
    node          INTEGER NOT NULL,
    page_size_kib INTEGER NOT NULL,
    pages         INTEGER NOT NULL,
    state         TEXT NOT NULL,
    identity      TEXT,
    from_ms       INTEGER NOT NULL,
    to_ms         INTEGER,
    CHECK (to_ms >= from_ms)
  ) STRICT;
  CREATE INDEX IF NOT EXISTS intervals_by_end ON intervals (to_ms);
  CREATE TABLE IF NOT EXISTS beat (
    one          INTEGER PRIMARY KEY CHECK (one = 1),
    at_ms        INTEGER NOT NULL,
    monotonic_ms INTEGER NOT NULL,
    boot_id      TEXT NOT NULL,
    since_ms     INTEGER NOT NULL
  ) STRICT;
  PRAGMA user_version = 1;
`;

type Row = Readonly<Record<string, unknown>>;

export class UsageStore {
  readonly #options: UsageStoreOptions;
  readonly #database: DatabaseSync;
  readonly #statements;
  #untilPrune = 0;

  private constructor(options: UsageStoreOptions, database: DatabaseSync) {
    this.#options = options;
    this.#database = database;
    this.#statements = statementsOf(database);
  }

  /**
   * Opens the file, or makes it. One that is no database is moved aside: a host is not without its agent because of a
   * broken disk block, and what was in it can still be looked at.
   * @throws where the folder cannot be made or the file must not be written.
   */
  static open(options: UsageStoreOptions): UsageStore {
    const { path, log } = options;
    if (path === '') return new UsageStore(options, openSqliteMemory(SCHEMA));
    const onBroken = (aside: string, error: unknown): void => {
      log.error('the history of usage is no database; starting with a new one', { path, aside, error: String(error) });
    };
    return new UsageStore(options, openSqliteFile({ path, schema: SCHEMA, onBroken }));
  }

  /** The last moment that was looked at; undefined in a new file. */
  beat(): Beat | undefined {
    const row: Row | undefined = this.#statements.beat.get();
    if (row === undefined) return undefined;
    return {
      atMs: Number(row['at_ms']),
      monotonicMs: Number(row['monotonic_ms']),
      bootId: String(row['boot_id']),
    };
  }

  /** From when on the history is whole, in ms; undefined in a new file. */
  sinceMs(): number | undefined {
    const row: Row | undefined = this.#statements.beat.get();
    return row === undefined ? undefined : Number(row['since_ms']);
  }

  /** What goes on. */
  open(): OpenInterval[] {
    return this.#statements.open.all().map((row: Row) => ({
      id: Number(row['id']),
      instanceUuid: String(row['instance_uuid']),
      projectId: String(row['project_id']),
      node: Number(row['node']),
      pageSizeKib: Number(row['page_size_kib']),
      pages: Number(row['pages']),
      state: row['state'] === 'kept' ? 'kept' : 'running',
      identity: typeof row['identity'] === 'string' ? row['identity'] : null,
      fromMs: Number(row['from_ms']),
    }));
  }

  /** Writes a look as a whole. @throws SQLite's error where it cannot be written; then nothing of it is. */
  write({ closed, opened: begun }: Change, beat: Beat): void {
    const { close, insert, keepBeat } = this.#statements;
    transact(this.#database, () => {
      for (const { id, atMs } of closed) close.run(atMs, id);
      for (const one of begun) {
        const { instanceUuid, projectId, node, pageSizeKib, pages, state, identity, fromMs } = one;
        insert.run(instanceUuid, projectId, node, pageSizeKib, pages, state, identity, fromMs);
      }
      keepBeat.run(beat.atMs, beat.monotonicMs, beat.bootId, beat.atMs);
      this.#prune(beat.atMs);
    });
  }

  /** Sums per project, node, size and state, by the last look; in the order of these. */
  sums({ fromMs, toMs, projectId }: UsageQuery): UsageSum[] {
    const untilMs = this.beat()?.atMs ?? 0;
    const rows = this.#statements.sums.all({
      // A number would be bound as a double, and the sums be doubles then.
      from: BigInt(Math.round(fromMs)),
      to: BigInt(Math.round(toMs)),
      until: BigInt(untilMs),
      project: projectId ?? null,
    });
    return rows.map((row: Row) => ({
      projectId: String(row['project_id']),
      node: Number(row['node']),
      pageSizeKib: Number(row['page_size_kib']),
      state: row['state'] === 'kept' ? 'kept' : 'running',
      pageMs: bigintOf(row['page_s']) * 1000n + bigintOf(row['page_ms']),
    }));
  }

  close(): void {
    this.#database.close();
  }

  #prune(nowMs: number): void {
    this.#untilPrune -= 1;
    if (this.#untilPrune > 0) return;
    this.#untilPrune = PRUNE_EVERY;
    const { keepMs, rows, log } = this.#options;
    const { expire, overflow, lastOverflow, raiseSince } = this.#statements;
    if (expire.run(nowMs - keepMs).changes > 0) raiseSince.run(nowMs - keepMs);
    const last: Row | undefined = lastOverflow.get(rows);
    const { changes } = overflow.run(rows);
    if (changes === 0) return;
    raiseSince.run(Number(last?.['to_ms'] ?? 0));
    log.warn('the history of usage is full: what ended first is gone (usage.rows)', { rows: Number(changes) });
  }
}

function statementsOf(database: DatabaseSync) {
  // What ends first goes first. What goes on stays.
  const OLDEST = `FROM intervals WHERE to_ms IS NOT NULL ORDER BY to_ms
                  LIMIT max(0, (SELECT count(*) FROM intervals) - ?)`;
  const sums: StatementSync = database.prepare(`
    SELECT project_id, node, page_size_kib, state,
           sum(pages * (ms / 1000)) AS page_s, sum(pages * (ms % 1000)) AS page_ms
      FROM (SELECT *, min(coalesce(to_ms, :until), :to) - max(from_ms, :from) AS ms FROM intervals
             WHERE from_ms < :to AND coalesce(to_ms, :until) > :from AND (:project IS NULL OR project_id = :project))
     GROUP BY project_id, node, page_size_kib, state
     ORDER BY project_id, node, page_size_kib, state`);
  // A year of a terabyte of base pages in page-ms is more than a double holds exactly.
  sums.setReadBigInts(true);
  return {
    sums,
    beat: database.prepare('SELECT * FROM beat'),
    open: database.prepare('SELECT * FROM intervals WHERE to_ms IS NULL ORDER BY id'),
    close: database.prepare('UPDATE intervals SET to_ms = max(?, from_ms) WHERE id = ?'),
    insert: database.prepare(
      `INSERT INTO intervals (instance_uuid, project_id, node, page_size_kib, pages, state, identity, from_ms)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    keepBeat: database.prepare(
      `INSERT INTO beat (one, at_ms, monotonic_ms, boot_id, since_ms) VALUES (1, ?, ?, ?, ?)
       ON CONFLICT (one) DO UPDATE SET at_ms = excluded.at_ms, monotonic_ms = excluded.monotonic_ms,
                                       boot_id = excluded.boot_id`,
    ),
    expire: database.prepare('DELETE FROM intervals WHERE to_ms < ?'),
    lastOverflow: database.prepare(`SELECT max(to_ms) AS to_ms FROM (SELECT to_ms ${OLDEST})`),
    overflow: database.prepare(`DELETE FROM intervals WHERE id IN (SELECT id ${OLDEST})`),
    raiseSince: database.prepare('UPDATE beat SET since_ms = max(since_ms, ?)'),
  };
}

function bigintOf(value: unknown): bigint {
  return typeof value === 'bigint' ? value : BigInt(Number(value));
}
