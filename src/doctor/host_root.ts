/**
 * Reads files below a root folder: `/` for the machine itself, a made-up tree in tests. What is not there and what may
 * not be read are answers, not errors.
 */
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { readdir, readFile, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';

/** What reading came to. `denied`: there, or perhaps there, but not for this user. */
export type Reading<T> =
  | { readonly is: 'read'; readonly value: T }
  | { readonly is: 'absent' }
  | { readonly is: 'denied' };

export type FileStat = {
  readonly kind: 'file' | 'folder' | 'device' | 'other';
  /** Permission bits with setuid, setgid and sticky: 0o1770. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
};

/** A file system's room, in bytes and in files, for others than root. */
export type Room = { readonly freeBytes: number; readonly freeFiles: number; readonly files: number };

/** More than this of a log is not looked at: its end counts. */
const LONGEST_RECORD_BYTES = 8192;
const MOST_RECORDS = 100_000;

export class HostRoot {
  readonly #root: string;

  constructor(root = '/') {
    this.#root = root;
  }

  /** Where a path of the host is for this process. */
  at(path: string): string {
    return join(this.#root, path);
  }

  text(path: string): Promise<Reading<string>> {
    return reading(readFile(this.at(path), 'utf8'));
  }

  /** The text without blanks at its ends; undefined where it is absent or denied. */
  async word(path: string): Promise<string | undefined> {
    const read = await this.text(path);
    return read.is === 'read' ? read.value.trim() : undefined;
  }

  /** A whole number; undefined where there is none. */
  async count(path: string): Promise<number | undefined> {
    const word = await this.word(path);
    return word !== undefined && /^-?\d+$/.test(word) ? Number(word) : undefined;
  }

  list(path: string): Promise<Reading<string[]>> {
    return reading(readdir(this.at(path)).then((names) => names.toSorted()));
  }

  /** The names in a folder; none where it is absent or denied. */
  async names(path: string): Promise<string[]> {
    const read = await this.list(path);
    return read.is === 'read' ? read.value : [];
  }

  stat(path: string): Promise<Reading<FileStat>> {
    return reading(
      stat(this.at(path)).then((found) => ({
        kind: found.isFile() ? 'file' : found.isDirectory() ? 'folder' : found.isCharacterDevice() ? 'device' : 'other',
        mode: found.mode & 0o7777,
        uid: found.uid,
        gid: found.gid,
      })),
    );
  }

  async exists(path: string): Promise<boolean> {
    return (await this.stat(path)).is === 'read';
  }

  /** Room of the file system that the path is on. */
  room(path: string): Promise<Reading<Room>> {
    return reading(
      statfs(this.at(path)).then(({ bavail, bsize, ffree, files }) => ({
        freeBytes: bavail * bsize,
        freeFiles: ffree,
        files,
      })),
    );
  }

  /** The kernel's messages since boot (/dev/kmsg, one record per read; a plain file in tests), without waiting for more. */
  kernelLog(): Reading<string> {
    let file: number;
    try {
      file = openSync(this.at('/dev/kmsg'), constants.O_RDONLY | constants.O_NONBLOCK);
    } catch (error) {
      return { is: isDenied(error) ? 'denied' : 'absent' };
    }
    const records: string[] = [];
    const buffer = Buffer.alloc(LONGEST_RECORD_BYTES);
    try {
      while (records.length < MOST_RECORDS) {
        try {
          const length = readSync(file, buffer);
          if (length === 0) break;
          records.push(buffer.toString('utf8', 0, length));
        } catch (error) {
          // EPIPE: records were overwritten while we read; the next read goes on with the oldest. EAGAIN: the end.
          if (codeOf(error) !== 'EPIPE') break;
        }
      }
    } finally {
      closeSync(file);
    }
    return { is: 'read', value: records.join('') };
  }
}

async function reading<T>(work: Promise<T>): Promise<Reading<T>> {
  try {
    return { is: 'read', value: await work };
  } catch (error) {
    if (isDenied(error)) return { is: 'denied' };
    if (ABSENT.has(codeOf(error))) return { is: 'absent' };
    // A disk that fails, no more descriptors: that is no answer, and the runner tells it as such.
    throw error;
  }
}

/** ESRCH, EINVAL and ENODEV: what the kernel says of a file of a process or device that is gone, or has none. */
const ABSENT = new Set([
  'ENOENT',
  'ENOTDIR',
  'EISDIR',
  'ELOOP',
  'ENAMETOOLONG',
  'ESRCH',
  'EINVAL',
  'ENODEV',
  'EOPNOTSUPP',
]);

function isDenied(error: unknown): boolean {
  return ['EACCES', 'EPERM'].includes(codeOf(error));
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
