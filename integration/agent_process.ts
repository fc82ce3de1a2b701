/** The agent as a user runs it: a process started by `hugenode serve`, whose log lines are kept as they come. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const ROOT = join(import.meta.dirname, '..');
const START_TIMEOUT_MS = 30_000;

export const LAUNCHER = join(ROOT, 'src', 'cli', 'hugenode');
export const SHIPPED_CONFIG = join(ROOT, 'config', 'hugenode.yaml');

/** A logger for clients that tests and demo hold themselves. */
export const QUIET = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

export type LogLine = Readonly<Record<string, unknown>>;
export type Overrides = Readonly<Record<string, string | number | boolean>>;
export type CommandResult = { code: number; stdout: string; stderr: string };

export class AgentProcess {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** Starts `hugenode ARGS serve` on the shipped configuration; resolves when it takes requests. */
  static async start(
    args: readonly string[],
    onLog: (line: LogLine) => void,
    env: Readonly<Record<string, string>> = {},
  ): Promise<AgentProcess> {
    const child = spawn(LAUNCHER, ['--config', SHIPPED_CONFIG, ...args, 'serve'], {
      stdio: ['ignore', 'inherit', 'pipe'],
      env: { ...process.env, ...env },
    });
    const last: LogLine[] = [];
    const ready = Promise.withResolvers<void>();
    createInterface({ input: child.stderr }).on('line', (text) => {
      const line = parseLine(text);
      last.push(line);
      if (last.length > 5) last.shift();
      onLog(line);
      if (line['message'] === 'taking requests') ready.resolve();
    });
    child.on('exit', (code) => ready.reject(new Error(`the agent ended with ${code}: ${JSON.stringify(last)}`)));
    const timer = setTimeout(
      () => ready.reject(new Error(`the agent takes no requests: ${JSON.stringify(last)}`)),
      START_TIMEOUT_MS,
    );
    try {
      await ready.promise;
      return new AgentProcess(child);
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Resolves when it has ended by itself. */
  async ended(): Promise<void> {
    if (this.isRunning) await once(this.#child, 'exit');
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Ends the agent; resolves with its exit code, or null where the signal killed it. */
  async end(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<number | null> {
    if (!this.isRunning) return this.#child.exitCode;
    const ended = new Promise<number | null>((resolve) => this.#child.once('exit', resolve));
    this.#child.kill(signal);
    return ended;
  }
}

/** `--set` for each override. */
export function settingsArgs(overrides: Overrides): string[] {
  return Object.entries(overrides).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
}

/** Runs the command line once. */
export async function runLauncher(args: readonly string[]): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    execFile(LAUNCHER, [...args], { timeout: 180_000 }, (error, stdout, stderr) => {
      if (error !== null && typeof error.code !== 'number') reject(error);
      else resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

function parseLine(text: string): LogLine {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : { message: text };
  } catch {
    return { message: text };
  }
}
