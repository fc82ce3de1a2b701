/** What the exit code of `hugenode` says; listed in --help, so that scripts can rely on it. */
import { AnswerTimeoutError, ApiError, BrokerAwayError, NoSuchHostError } from '../client/index.ts';
import { ComputeError } from '../errors.ts';
import { InventoryError } from '../inventory/inventory_error.ts';
import { BrokerUnavailableError, RpcError } from '../rpc/index.ts';
import { SettingsError } from '../settings/load.ts';

export const EXIT = {
  ok: 0,
  internal: 1,
  usage: 2,
  refused: 3,
  notFound: 4,
  conflict: 5,
  unreachable: 6,
  warnings: 7,
  problems: 8,
} as const;

export const EXIT_HELP = `
Exit codes:
  0  done
  1  internal error
  2  wrong arguments, settings or request
  3  refused: the host cannot take the instance, or not as many as a plan was for; the message has the numbers
  4  no such instance
  5  the uuid is taken by another instance
  6  nobody answers: broker, host or hypervisor cannot be reached
  7  doctor: nothing worse than warnings
  8  doctor: problems`;

const BY_CLASS: Readonly<Record<string, number>> = {
  ComputeResourcesUnavailable: EXIT.refused,
  MemoryPageSizeNotSupported: EXIT.refused,
  ProjectQuotaExceeded: EXIT.refused,
  InstanceNotFound: EXIT.notFound,
  InstanceConflict: EXIT.conflict,
  HypervisorUnavailable: EXIT.unreachable,
  InternalError: EXIT.internal,
  InstanceSpawnFailed: EXIT.internal,
  HypervisorError: EXIT.internal,
};

/** The answer was given, and it is that what was wanted does not fit. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
}

/** The doctor has found something; its message counts it. */
export class UnwellError extends Error {
  override readonly name = 'UnwellError';
  readonly worst: 'warning' | 'problem';

  constructor(worst: 'warning' | 'problem', message: string) {
    super(message);
    this.worst = worst;
  }
}

/** The code for an error; every other class of the API says that the request was wrong. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof ApiError) return BY_CLASS[error.className] ?? EXIT.usage;
  if (error instanceof ComputeError) return BY_CLASS[error.errorClass] ?? EXIT.usage;
  if (error instanceof RefusedError) return EXIT.refused;
  if (error instanceof UnwellError) return error.worst === 'problem' ? EXIT.problems : EXIT.warnings;
  if (error instanceof SettingsError || error instanceof InventoryError) return EXIT.usage;
  // A queue that exists with other flags: a setting has to change.
  if (error instanceof RpcError && error.code === 'topology') return EXIT.usage;
  const unreachable = [BrokerUnavailableError, BrokerAwayError, AnswerTimeoutError, NoSuchHostError];
  return unreachable.some((kind) => error instanceof kind) ? EXIT.unreachable : EXIT.internal;
}
