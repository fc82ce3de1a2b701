// The request store on disk, so that a request is known across restarts. One file, written before an answer goes out.
//
// Requests of the same turn of the event loop are written in one transaction, and each goes on when it is committed: a
// hundred at a time cost little more than one.
//
// synchronous=NORMAL: what was written survives the death of the process at any moment, and a power failure may take the
// last moments along; by then the broker has the request, or its guests are gone with the host.

import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { openSqliteFile, rollBack } from '../sqlite_file.ts';
import { reasonOf, type RpcLogger } from './logger.ts';
import { outcomeOf, type AcceptedRequest, type Known, type RequestStore } from './request_store.ts';

export interface SqliteRequestStoreOptions {
  path: string;
  /** How long an ended request is known. */
  keepMs: number;
  /** How many are known at most: beyond, the oldest ended ones go. */
  limit: number;
  logger: RpcLogger;
}

const PRUNE_EVERY = 256;
/** More than come in between, so that a file that was left full gets smaller. */
const PRUNE_AT_ONCE = 4 * PRUNE_EVERY;

// Version 1. STRICT, so that a bug here is an error here. `number` is the order in which requests came, and so the order
// in which they go.
const SCHEMA = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  CREATE TABLE IF NOT EXISTS requests (
    number    INTEGER PRIMARY KEY,
    unique_id TEXT NOT NULL UNIQUE,
    method    TEXT NOT NULL,
    begun_ms  INTEGER NOT NULL,
    outcome   TEXT
  ) STRICT;
  CREATE TABLE IF NOT EXISTS accepted (
    unique_id  TEXT PRIMARY KEY,
    body       BLOB NOT NULL,
    properties TEXT NOT NULL
  ) STRICT;
  PRAGMA user_version = 1;
`;

interface Statements {
  begin: StatementSync;
  find: StatementSync;
  end: StatementSync;
  accept: StatementSync;
  accepted: StatementSync;
  unaccept: StatementSync;
  count: StatementSync;
  prune: StatementSync;
}

/** Requests in a SQLite file; one process at a time. */
export class SqliteRequestStore implements RequestStore {
  readonly #options: SqliteRequestStoreOptions;
  readonly #database: DatabaseSync;
  readonly #statements: Statements;
  /** The transaction that is open, until the end of this turn. */
  #turn: PromiseWithResolvers<void> | null = null;
  /** Of those whose body is kept too. */
  readonly #acceptedIds = new Set<string>();
  #untilPrune = 0;

  private constructor(options: SqliteRequestStoreOptions, database: DatabaseSync) {
    this.#options = options;
    this.#database = database;
    this.#statements = statementsOf(database);
    for (const { uniqueId } of this.accepted()) this.#acceptedIds.add(uniqueId);
  }

  /**
   * Opens the file, or makes it. One that is no database is moved aside, so that a broken disk block does not keep the
   * server away: what was in it is then not known.
   * @throws where the folder cannot be made or the file must not be written.
   */
  static open(options: SqliteRequestStoreOptions): SqliteRequestStore {
    const { path, logger } = options;
    const onBroken = (aside: string, error: unknown): void => {
      const fields = { path, aside, reason: reasonOf(error) };
      logger.error('the file of requests is no database; starting with a new one', fields);
    };
    return new SqliteRequestStore(options, openSqliteFile({ path, schema: SCHEMA, onBroken }));
  }

  begin(uniqueId: string, method: string): Promise<Known> {
    return this.#committed((): Known => {
      const { find, begin } = this.#statements;
      if (begin.run(uniqueId, method, Date.now()).changes === 1) {
        this.#prune();
        return { state: 'new' };
      }
      const outcome = find.get(uniqueId)?.['outcome'];
      return typeof outcome === 'string' ? { state: 'ended', outcome: outcomeOf(outcome) } : { state: 'begun' };
    });
  }

  end(uniqueId: string, outcome: string): Promise<void> {
    return this.#committed(() => {
      const { end, unaccept } = this.#statements;
      end.run(outcome, uniqueId);
      if (this.#acceptedIds.delete(uniqueId)) unaccept.run(uniqueId);
    });
  }

  accept({ uniqueId, body, properties }: AcceptedRequest): Promise<boolean> {
    return this.#committed(() => {
      this.#statements.accept.run(uniqueId, body, JSON.stringify(properties));
      this.#acceptedIds.add(uniqueId);
      return true;
    });
  }

  accepted(): AcceptedRequest[] {
    return this.#statements.accepted.all().flatMap(({ unique_id: uniqueId, body, properties }) => {
      if (typeof uniqueId !== 'string' || !(body instanceof Uint8Array)) return [];
      return [{ uniqueId, body, properties: JSON.parse(String(properties)) }];
    });
  }

  close(): void {
    this.#commit();
    this.#database.close();
  }

  async #committed<T>(work: () => T): Promise<T> {
    if (this.#turn === null) {
      this.#database.exec('BEGIN');
      this.#turn = Promise.withResolvers();
      // Each of its requests hears of a failure itself.
      this.#turn.promise.catch(() => {});
      setImmediate(() => this.#commit());
    }
    const { promise } = this.#turn;
    const result = work();
    await promise;
    return result;
  }

  #commit(): void {
    const turn = this.#turn;
    if (turn === null) return;
    this.#turn = null;
    try {
      this.#database.exec('COMMIT');
      turn.resolve();
    } catch (error) {
      turn.reject(error);
      // It must not stay open.
      rollBack(this.#database);
    }
  }

  #prune(): void {
    this.#untilPrune -= 1;
    if (this.#untilPrune > 0) return;
    this.#untilPrune = PRUNE_EVERY;
    const { keepMs, limit } = this.#options;
    const { count, prune } = this.#statements;
    const tooMany = Math.max(0, Number(count.get()?.['count'] ?? 0) - limit);
    prune.run(PRUNE_AT_ONCE, Date.now() - keepMs, tooMany);
  }
}

function statementsOf(database: DatabaseSync): Statements {
  return {
    begin: database.prepare(
      'INSERT INTO requests (unique_id, method, begun_ms) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
    ),
    find: database.prepare('SELECT outcome FROM requests WHERE unique_id = ?'),
    end: database.prepare('UPDATE requests SET outcome = ? WHERE unique_id = ?'),
    accept: database.prepare('INSERT OR REPLACE INTO accepted (unique_id, body, properties) VALUES (?, ?, ?)'),
    accepted: database.prepare('SELECT unique_id, body, properties FROM accepted ORDER BY rowid'),
    unaccept: database.prepare('DELETE FROM accepted WHERE unique_id = ?'),
    count: database.prepare('SELECT count(*) AS count FROM requests'),
    // Of the oldest: those past their time, ended or not (what never ended was never delivered again either), and those
    // beyond the limit that have ended. One whose body is kept stays.
    prune: database.prepare(
      `DELETE FROM requests WHERE number IN (
         SELECT number FROM (
           SELECT number, unique_id, begun_ms, outcome, row_number() OVER () AS place
           FROM (SELECT * FROM requests ORDER BY number LIMIT ?)
         )
         WHERE (begun_ms < ? OR (place <= ? AND outcome IS NOT NULL))
           AND unique_id NOT IN (SELECT unique_id FROM accepted))`,
    ),
  };
}
