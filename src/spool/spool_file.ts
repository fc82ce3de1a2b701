/**
 * What waits for the broker, on disk: one SQLite file, one process at a time. Everything is written in the turn of the
 * caller and is there when the call returns.
 *
 * synchronous=NORMAL: what was written survives the death of the process at any moment. A power failure may take the last
 * moments along, and takes the guests with it.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Logger } from '../log.ts';
import { openSqliteFile, openSqliteMemory, transact } from '../sqlite_file.ts';

/** A message as it goes to the broker, with all its ids. */
export type SpoolMessage = {
  /** Messages of one lane keep their order. */
  readonly lane: string;
  readonly exchange: string;
  readonly queue: string;
  readonly body: string;
  /** For the log, should it be lost. */
  readonly about: Readonly<Record<string, unknown>>;
};

export type StoredMessage = { readonly id: number; readonly message: SpoolMessage };

/** Messages, and bytes of their bodies. */
export type LaneTotals = { messages: number; bytes: number };

// Version 1. STRICT, so that a bug here is an error here.
const SCHEMA = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  CREATE TABLE IF NOT EXISTS messages (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    lane     TEXT NOT NULL,
    exchange TEXT NOT NULL,
    queue    TEXT NOT NULL,
    body     TEXT NOT NULL,
    bytes    INTEGER NOT NULL,
    about    TEXT NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS messages_by_lane ON messages (lane, id);
  CREATE TABLE IF NOT EXISTS notes (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
  ) STRICT;
  PRAGMA user_version = 1;
`;

/** Kept in memory: lost with the process. */
export const IN_MEMORY = ':memory:';

export class SpoolFile {
  readonly #database: DatabaseSync;
  readonly #statements: Statements;

  private constructor(database: DatabaseSync) {
    this.#database = database;
    this.#statements = statementsOf(database);
  }

  /**
   * Opens the file, or makes it, readable by this user alone. One that is no database is moved aside.
   * @throws where the folder cannot be made or the file cannot be written.
   */
  static open(path: string, log: Logger): SpoolFile {
    if (path === IN_MEMORY) return new SpoolFile(openSqliteMemory(SCHEMA));
    const onBroken = (aside: string, error: unknown): void => {
      log.error('the spool is no database; starting with a new one', { path, aside, error: String(error) });
    };
    return new SpoolFile(openSqliteFile({ path, schema: SCHEMA, onBroken }));
  }

  /** All of the work is kept, or none of it. @throws SQLite's error: the disk is full, for one. */
  transact(work: () => void): void {
    transact(this.#database, work);
  }

  /** @returns its number, greater than those of all before. */
  add({ lane, exchange, queue, body, about }: SpoolMessage): number {
    const { lastInsertRowid } = this.#statements.add.run(
      lane,
      exchange,
      queue,
      body,
      Buffer.byteLength(body),
      JSON.stringify(about),
    );
    return Number(lastInsertRowid);
  }

  /** The oldest of a lane beyond that number. */
  first(lane: string, after: number): StoredMessage | undefined {
    const row = this.#statements.first.get(lane, after);
    if (row === undefined) return undefined;
    const { id, exchange, queue, body, about } = row;
    return {
      id: Number(id),
      message: {
        lane,
        exchange: String(exchange),
        queue: String(queue),
        body: String(body),
        about: JSON.parse(String(about)),
      },
    };
  }

  /** The oldest of a lane beyond that number, without their bodies. */
  oldest(lane: string, after: number, limit: number): { id: number; bytes: number; about: unknown }[] {
    return this.#statements.oldest
      .all(lane, after, limit)
      .map(({ id, bytes, about }) => ({ id: Number(id), bytes: Number(bytes), about: JSON.parse(String(about)) }));
  }

  /** @returns whether it was there. */
  remove(id: number): boolean {
    return this.#statements.remove.run(id).changes > 0;
  }

  totals(): Map<string, LaneTotals> {
    return new Map(
      this.#statements.totals
        .all()
        .map(({ lane, messages, bytes }) => [String(lane), { messages: Number(messages), bytes: Number(bytes) }]),
    );
  }

  notes(): Map<string, string> {
    return new Map(this.#statements.notes.all().map(({ name, value }) => [String(name), String(value)]));
  }

  /** Keeps a note under that name; undefined takes it away. */
  note(name: string, value: string | undefined): void {
    if (value === undefined) this.#statements.unnote.run(name);
    else this.#statements.note.run(name, value);
  }

  close(): void {
    this.#database.close();
  }
}

type Statements = ReturnType<typeof statementsOf>;

function statementsOf(database: DatabaseSync) {
  const prepare = (sql: string): StatementSync => database.prepare(sql);
  return {
    add: prepare('INSERT INTO messages (lane, exchange, queue, body, bytes, about) VALUES (?, ?, ?, ?, ?, ?)'),
    first: prepare(
      'SELECT id, exchange, queue, body, about FROM messages WHERE lane = ? AND id > ? ORDER BY id LIMIT 1',
    ),
    oldest: prepare('SELECT id, bytes, about FROM messages WHERE lane = ? AND id > ? ORDER BY id LIMIT ?'),
    remove: prepare('DELETE FROM messages WHERE id = ?'),
    totals: prepare('SELECT lane, count(*) AS messages, sum(bytes) AS bytes FROM messages GROUP BY lane'),
    notes: prepare('SELECT name, value FROM notes'),
    note: prepare('INSERT OR REPLACE INTO notes (name, value) VALUES (?, ?)'),
    unnote: prepare('DELETE FROM notes WHERE name = ?'),
  };
}
