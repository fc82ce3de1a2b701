/**
 * A SQLite file of the agent's own: private, made where it is missing, and there again where it was broken. The rooms
 * that keep something (requests, the spool, the history of usage) have a file each, because each is bounded by itself.
 */
import { closeSync, mkdirSync, openSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

export type SqliteFileOptions = {
  readonly path: string;
  /** Run at each opening: makes what is not there. */
  readonly schema: string;
  /** Told where the file is no database: it was moved aside, and a new one is begun. */
  readonly onBroken: (aside: string, error: unknown) => void;
};

const IN_MEMORY = ':memory:';

/** Primary result codes (sqlite.org/rescode.html). */
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

/**
 * Opens the file, or makes it, for this user alone. Its folder is made as any other: QEMU, which is another user, has
 * to get through it to what else is below. One that is no database is moved aside: a host is not
 * without its agent because of a broken disk block, and what was in it can still be looked at.
 * @throws where the folder cannot be made or the file must not be written.
 */
export function openSqliteFile({ path, schema, onBroken }: SqliteFileOptions): DatabaseSync {
  mkdirSync(dirname(path), { recursive: true });
  closeSync(openSync(path, 'a', 0o600));
  try {
    return opened(path, schema);
  } catch (error) {
    if (!isBroken(error)) throw error;
    const aside = `${path}.broken-${Date.now()}`;
    onBroken(aside, error);
    renameSync(path, aside);
    return opened(path, schema);
  }
}

/** The same without a file: gone with the process. */
export function openSqliteMemory(schema: string): DatabaseSync {
  return opened(IN_MEMORY, schema);
}

/** All of the work is kept, or none of it. @throws what the work throws, or SQLite's error: the disk is full, for one. */
export function transact(database: DatabaseSync, work: () => void): void {
  database.exec('BEGIN IMMEDIATE');
  try {
    work();
    database.exec('COMMIT');
  } catch (error) {
    rollBack(database);
    throw error;
  }
}

/** Ends a transaction that cannot be kept, unless its error has ended it already. */
export function rollBack(database: DatabaseSync): void {
  if (database.isTransaction) database.exec('ROLLBACK');
}

function opened(path: string, schema: string): DatabaseSync {
  const database = new DatabaseSync(path);
  try {
    database.exec(schema);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function isBroken(error: unknown): boolean {
  if (!(error instanceof Error && 'errcode' in error && typeof error.errcode === 'number')) return false;
  const code = error.errcode & 0xff;
  return code === SQLITE_CORRUPT || code === SQLITE_NOTADB;
}
