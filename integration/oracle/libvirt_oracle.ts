/** A long-lived python3-libvirt that answers the same questions as node-libvirt, one after the other. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';

/** An object and the kind of it, as libvirt_oracle.py finds it. */
export type Target = { readonly kind: string; readonly key: object };

/** What libvirt refused in Python. */
export class OracleError extends Error {
  readonly code: number | null;

  constructor(code: number | null, message: string) {
    super(message);
    this.code = code;
  }
}

type Answer = { readonly result?: unknown; readonly error?: number | null; readonly message?: string };

export class LibvirtOracle {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  readonly #interface: Interface;
  /** Questions wait for the answer of the one before. */
  #last: Promise<unknown> = Promise.resolve();
  #stderr = '';

  constructor() {
    this.#child = spawn('/usr/bin/python3', [join(import.meta.dirname, 'libvirt_oracle.py')]);
    this.#child.stderr.on('data', (chunk: Buffer) => {
      this.#stderr += chunk.toString();
    });
    this.#interface = createInterface({ input: this.#child.stdout });
    this.#lines = this.#interface[Symbol.asyncIterator]();
  }

  /** What Python's method of that object answers. @throws {OracleError} */
  ask(uri: string, target: Target, method: string, ...args: readonly unknown[]): Promise<unknown> {
    const question = async () => this.#ask(`${JSON.stringify({ uri, ...target, method, args }, encoded)}\n`);
    const answer = this.#last.then(question, question);
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

  async #ask(question: string): Promise<unknown> {
    this.#child.stdin.write(question);
    const line = await this.#lines.next();
    if (line.done === true) throw new Error(`the oracle ended: ${this.#stderr}`);
    // The other side of the pipe is ours.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    const answer = JSON.parse(line.value, decoded) as Answer;
    if ('error' in answer) throw new OracleError(answer.error ?? null, `${answer.message}; asked ${question}`);
    return answer.result;
  }
}

/** Buffers have made JSON of themselves by the time a replacer sees them. */
function encoded(_: string, value: unknown): unknown {
  if (isBufferJson(value)) return { $bytes: Buffer.from(value.data).toString('base64') };
  return value;
}

function isBufferJson(value: unknown): value is { readonly type: 'Buffer'; readonly data: readonly number[] } {
  return typeof value === 'object' && value !== null && 'type' in value && value.type === 'Buffer' && 'data' in value;
}

function decoded(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if ('$bytes' in value) return Buffer.from(String(value.$bytes), 'base64');
  if ('$int' in value) return BigInt(String(value.$int));
  return value;
}
