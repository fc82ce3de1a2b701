/**
 * Log lines are JSON events on standard error: a message and fields (instance, request, node, pages). What must never
 * be read in a log is taken out here, whoever put it in.
 */
import winston from 'winston';

/** What every room is handed; winston's loggers fit it. */
export interface Logger {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
  child(fields: Record<string, unknown>): Logger;
}

const SECRET_KEY = /password|passwd|secret|auth_token|transport_url|credential|_key$/i;
/** Everything between :// and the last @ before the path: also where a URL has several hosts, each with credentials. */
const CREDENTIALS_IN_URL = /(\w+:\/\/)[^\s/]*@/g;
const HIDDEN = '***';

/** The agent's logger. */
export function createLogger(options: { level: string; host: string }): Logger {
  return winston.createLogger({
    level: options.level,
    defaultMeta: { host: options.host },
    format: winston.format.combine(
      winston.format.timestamp(),
      winston.format((info) => {
        for (const [key, value] of Object.entries(info)) info[key] = redact(key, value);
        return info;
      })(),
      winston.format.json(),
    ),
    transports: [new winston.transports.Console({ stderrLevels: ['error', 'warn', 'info', 'debug'] })],
  });
}

/** The value without what is secret; exported for its test. */
export function redact(key: string, value: unknown): unknown {
  if (SECRET_KEY.test(key)) return HIDDEN;
  if (typeof value === 'string') return value.replace(CREDENTIALS_IN_URL, `$1${HIDDEN}@`);
  if (value instanceof Error) return redact(key, { name: value.name, message: value.message, stack: value.stack });
  if (Array.isArray(value)) return value.map((inner: unknown) => redact('', inner));
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, redact(name, inner)]));
  }
  return value;
}
