/** Nova in a process of its own, asked to time one case after the other. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** What one run of a case took: processor time of all calls together. */
export type Timing = { readonly calls: number; readonly cpuUs: number; readonly fits: boolean };

export class NovaProcess {
  readonly version: string;
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;

  private constructor(process: ChildProcessWithoutNullStreams, lines: AsyncIterator<string>, version: string) {
    this.#process = process;
    this.#lines = lines;
    this.version = version;
  }

  /** Undefined where Debian's python3-nova is not installed. */
  static async start(casesFile: string): Promise<NovaProcess | undefined> {
    const process = spawn('/usr/bin/python3', [join(import.meta.dirname, 'nova_fit.py'), casesFile]);
    const lines = createInterface({ input: process.stdout })[Symbol.asyncIterator]();
    const first = await lines.next();
    if (first.done === true) return undefined;
    return new NovaProcess(process, lines, first.value.replace('ready ', ''));
  }

  async time(place: number, seconds: number): Promise<Timing> {
    this.#process.stdin.write(`${place} ${seconds}\n`);
    const line = await this.#lines.next();
    if (line.done === true) throw new Error('Nova ended in the middle of the run');
    const timing: Timing = JSON.parse(line.value);
    return timing;
  }

  async close(): Promise<void> {
    const ended = once(this.#process, 'close');
    this.#process.stdin.end();
    await ended;
  }
}
