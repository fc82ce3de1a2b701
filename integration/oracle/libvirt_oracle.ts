/** A long-lived python3-libvirt that answers the same questions as node-libvirt, one after the other. */
import { join } from 'node:path';
import { JsonLinesOracle } from './json_lines.ts';

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
  readonly #lines = new JsonLinesOracle(join(import.meta.dirname, 'libvirt_oracle.py'));

  /** What Python's method of that object answers. @throws {OracleError} */
  async ask(uri: string, target: Target, method: string, ...args: readonly unknown[]): Promise<unknown> {
    const question = JSON.stringify({ uri, ...target, method, args }, encoded);
    // The other side of the pipe is ours.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    const answer = JSON.parse(await this.#lines.ask(question), decoded) as Answer;
    if ('error' in answer) throw new OracleError(answer.error ?? null, `${answer.message}; asked ${question}`);
    return answer.result;
  }

  async close(): Promise<void> {
    await this.#lines.close();
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
