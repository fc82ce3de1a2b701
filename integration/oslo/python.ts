// Runs the Python programs of this folder with Debian's interpreter and its oslo.messaging, over JSON lines.

import { execFile, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export type Line = Record<string, unknown>;

const ANSWER_DEADLINE_MS = 40_000;

/** One running program: what it says is kept until somebody waits for it. */
export class PythonProgram {
  readonly #process: ChildProcess;
  readonly #name: string;
  #unheard: Line[] = [];
  #listeners: (() => void)[] = [];
  #complaints = '';
  #lastId = 0;

  private constructor(name: string, args: readonly string[]) {
    this.#name = name;
    const program = fileURLToPath(new URL(name, import.meta.url));
    // By default a child is killed after a mebibyte of answers.
    this.#process = execFile('/usr/bin/python3', [program, ...args], { maxBuffer: Infinity });
    this.#process.stderr?.on('data', (text) => (this.#complaints += String(text)));
    if (!this.#process.stdout) throw new Error(`${name} has no stdout`);
    createInterface(this.#process.stdout).on('line', (line) => {
      const said: Line = JSON.parse(line);
      this.#unheard.push(said);
      this.#wake();
    });
    this.#process.on('exit', () => this.#wake());
  }

  static start(name: string, ...args: readonly string[]): PythonProgram {
    return new PythonProgram(name, args);
  }

  /** The first line that fits, past or to come. */
  async heard(fits: (line: Line) => boolean): Promise<Line> {
    const deadline = AbortSignal.timeout(ANSWER_DEADLINE_MS);
    deadline.addEventListener('abort', () => this.#wake(), { once: true });
    for (;;) {
      const index = this.#unheard.findIndex(fits);
      if (index >= 0) return this.#unheard.splice(index, 1)[0] ?? {};
      if (deadline.aborted || this.#hasEnded) {
        throw new Error(`${this.#name} did not say it: ${JSON.stringify(this.#unheard)}\n${this.#complaints}`);
      }
      await new Promise<void>((resolve) => this.#listeners.push(resolve));
    }
  }

  /** Gives client.py an order and resolves with its answer, less the id. */
  async ask(order: Line): Promise<Line> {
    const id = ++this.#lastId;
    this.#process.stdin?.write(`${JSON.stringify({ ...order, id })}\n`);
    const { id: _, ...answer } = await this.heard((line) => line['id'] === id);
    return answer;
  }

  async stop(): Promise<void> {
    if (this.#hasEnded) return;
    const exited = once(this.#process, 'exit');
    this.#process.stdin?.end();
    const hung = setTimeout(() => this.#process.kill('SIGKILL'), 10_000);
    await exited;
    clearTimeout(hung);
  }

  get #hasEnded(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  #wake(): void {
    for (const wake of this.#listeners.splice(0)) wake();
  }
}
