/** A long-lived Python that answers a line of JSON with a line of JSON, one question after the other. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';

export class JsonLinesOracle {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  readonly #interface: Interface;
  /** Questions wait for the answer of the one before. */
  #last: Promise<unknown> = Promise.resolve();
  #stderr = '';

  /** @param program The Python file. Debian's own Python runs it, which has Debian's packages. */
  constructor(program: string) {
    this.#child = spawn('/usr/bin/python3', [program]);
    this.#child.stderr.on('data', (chunk: Buffer) => {
      this.#stderr += chunk.toString();
    });
    // A program that has ended is told by the answer that does not come.
    this.#child.stdin.on('error', () => {});
    this.#interface = createInterface({ input: this.#child.stdout });
    this.#lines = this.#interface[Symbol.asyncIterator]();
  }

  /** The answer's JSON. Throws, with what the program said last, where it has ended. */
  ask(question: string): Promise<string> {
    const asked = async () => this.#ask(question);
    const answer = this.#last.then(asked, asked);
    this.#last = answer.catch(() => {});
    return answer;
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.stdin.end();
    await exited;
    this.#interface.close();
  }

  async #ask(question: string): Promise<string> {
    this.#child.stdin.write(`${question}\n`);
    const line = await this.#lines.next();
    if (line.done === true) throw new Error(`the oracle ended: ${this.#stderr}`);
    return line.value;
  }
}
