/** The core's errors on their way to the wire: the one place where a class becomes an exception name there. */
import { z } from 'zod';
import { ComputeError } from '../errors.ts';
import { RemoteFault } from '../rpc/index.ts';

/** Python module that our exceptions claim to come from; callers may allow it (allowed_remote_exmods). */
export const ERROR_MODULE = 'hugenode.exceptions';

/** Reads arguments; what does not fit becomes a fault that names every wrong field. @throws {RemoteFault} InvalidRequest */
export function parseArgs<S extends z.ZodType>(schema: S, method: string, args: unknown): z.output<S> {
  const parsed = schema.safeParse(args);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.flatMap(describeIssue);
  throw fault(
    'InvalidRequest',
    `${method}: ${problems.map(({ field, message }) => `${field}: ${message}`).join('; ')}`,
    { problems },
  );
}

/** Runs a verb; an error of the core crosses as its own class, anything else is left to the server's InternalError. */
export async function withFaults<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ComputeError) throw fault(error.errorClass, error.message, error.details, error);
    throw error;
  }
}

export function fault(
  className: string,
  message: string,
  details: Readonly<Record<string, unknown>>,
  cause?: unknown,
): RemoteFault {
  return new RemoteFault({ className, module: ERROR_MODULE, message, kwargs: { ...details } }, { cause });
}

function describeIssue(issue: z.core.$ZodIssue): { field: string; message: string }[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ field: at([...issue.path, key]), message: 'unknown field' }));
  }
  return [{ field: at(issue.path), message: issue.message }];
}

function at(path: readonly PropertyKey[]): string {
  return path.map(String).join('.') || 'arguments';
}
