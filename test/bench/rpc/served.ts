/** A server of the bench in a process of its own, ours or Python's: both are driven by the same lines. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export type Report = {
  readonly done: number;
  /** From the order to serve until the last request was at work: a server may take in all before it begins. */
  readonly spanMs: number;
  /** Of the process since it serves. */
  readonly cpuMs: number;
  readonly rssMib: number;
};

export const KINDS = ['ours', 'ours with a journal', 'python threading', 'python eventlet'] as const;
export type Kind = (typeof KINDS)[number];

export type Place = { readonly url: string; readonly exchange: string; readonly topic: string };

export class Served {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;

  private constructor(process: ChildProcessWithoutNullStreams) {
    this.#process = process;
    this.#lines = createInterface({ input: process.stdout })[Symbol.asyncIterator]();
    process.stderr.resume();
  }

  /** The process, with all that it needs loaded; it does not listen yet. */
  static async of(kind: Kind, place: Place, storePath: string): Promise<Served> {
    const served = new Served(spawn(...commandOf(kind, place, storePath)));
    await served.report();
    return served;
  }

  start(): void {
    this.#process.stdin.write('start\n');
  }

  async report(): Promise<Report> {
    this.#process.stdin.write('report\n');
    const line = await this.#lines.next();
    if (line.done === true) throw new Error('a server of the bench has ended');
    const report: Report = JSON.parse(line.value);
    return report;
  }

  async end(): Promise<void> {
    const ended = once(this.#process, 'exit');
    this.#process.stdin.end();
    await ended;
  }
}

function commandOf(kind: Kind, { url, exchange, topic }: Place, storePath: string): [string, string[]] {
  if (kind.startsWith('python')) {
    const executor = kind.slice('python '.length);
    const args = [url, exchange, topic, executor];
    return ['/usr/bin/python3', [join(import.meta.dirname, 'python_server.py'), ...args]];
  }
  const store = kind === 'ours' ? '-' : storePath;
  const script = join(import.meta.dirname, 'node_server.ts');
  return [process.execPath, ['--disable-warning=ExperimentalWarning', script, url, exchange, topic, store]];
}
