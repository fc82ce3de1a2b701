/**
 * A program whose stdio is the connection: ssh, or what `ext` names. Run from an argument list, never through a shell.
 *
 * Why it ended is said on stderr and by its exit code, both later than the end of its output; so the end is held back
 * until the process is gone, and comes as an error with its last words.
 */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { codeOf, connectError, settled, type Target } from './attempt.ts';
import { StreamTransport } from './duplex.ts';
import type { Transport } from './transport.ts';

export type Command = {
  readonly program: string;
  readonly args: readonly string[];
  /** What to do about an end, by its last words; the code is the ConnectError's. */
  readonly explain: (lastWords: string, exitCode: number | null) => { readonly code: string; readonly advice: string };
};

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

/** Enough for ssh's warning about a changed host key. */
const TAIL_CHARS = 4096;
/** For a process that closed its output and lives on, as an ssh that others share. */
const EXIT_GRACE_MS = 1000;
/** For one that does not heed SIGTERM. */
const KILL_AFTER_MS = 2000;

export async function openCommand(target: Target, command: Command, signal: AbortSignal): Promise<Transport> {
  signal.throwIfAborted();
  const child = spawn(command.program, command.args, { stdio: ['pipe', 'pipe', 'pipe'] });
  const transport = new CommandTransport(child, target, command);
  try {
    await settled<void>(signal, (resolve, reject) => {
      const onError = (error: NodeJS.ErrnoException) => {
        const advice = `the program ${command.program} cannot be run (${error.message}); install it, or name another one by command=`;
        reject(connectError(target, codeOf(error), advice, error));
      };
      child.once('spawn', resolve).once('error', onError);
      return () => child.off('spawn', resolve).off('error', onError);
    });
    return transport;
  } catch (error) {
    transport.destroy();
    throw error;
  }
}

class CommandTransport extends StreamTransport {
  readonly #child: Child;
  readonly #target: Target;
  readonly #command: Command;
  #tail = '';
  #hasSpoken = false;
  #isOver = false;
  #isGone = false;
  #streamError: Error | undefined;
  #grace: NodeJS.Timeout | undefined;

  constructor(child: Child, target: Target, command: Command) {
    super(child.stdout, child.stdin, target.peer);
    this.#child = child;
    this.#target = target;
    this.#command = command;
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#tail = (this.#tail + text).slice(-TAIL_CHARS);
    });
    child.stderr.on('error', () => undefined);
    // It is paused: a listener alone sets nothing flowing.
    child.stdout.once('data', () => {
      this.#hasSpoken = true;
    });
    // A failed kill is no matter: the process is gone.
    child.on('error', () => undefined);
    child.on('exit', () => {
      this.#isGone = true;
    });
    // After exit, when its last words have been read too.
    child.on('close', () => this.#finish());
  }

  override destroy(): void {
    this.#isOver = true;
    clearTimeout(this.#grace);
    super.destroy();
    this.#child.stderr.destroy();
    if (this.#isGone || this.#child.pid === undefined) return;
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), KILL_AFTER_MS).unref();
    this.#child.once('exit', () => clearTimeout(timer));
  }

  /** A write into a program that ended fails before anyone knows why it ended. */
  protected override onStreamError(error: Error): void {
    this.#streamError ??= error;
    this.onStreamEnd();
  }

  protected override onStreamEnd(): void {
    if (!this.#isOver) this.#grace ??= setTimeout(() => this.#finish(), EXIT_GRACE_MS);
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#grace);
    const error = this.#failure();
    if (error !== undefined) this.fail(error);
    this.end();
  }

  /** Undefined for a program that talked and left in good order. */
  #failure(): Error | undefined {
    const { exitCode, signalCode } = this.#child;
    const cause = this.#streamError;
    if (this.#hasSpoken && exitCode === 0) return cause;
    const how = signalCode === null ? `with exit code ${exitCode}` : `by ${signalCode}`;
    const words = printable(this.#tail);
    const ended = this.#isGone ? `${this.#command.program} ended ${how}` : `${this.#command.program} closed its output`;
    const text = words === '' ? `${ended} and said nothing` : `${ended}: ${words}`;
    if (this.#hasSpoken) return new Error(text, cause === undefined ? {} : { cause });
    const { code, advice } = this.#command.explain(words, exitCode);
    return connectError(this.#target, code, `${advice} (${text})`, cause);
  }
}

/** A remote host wrote it: nothing in it shall move a terminal's cursor. */
function printable(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ').trim();
}
