/** A logger that keeps what it is told, for tests that look at it. */
import type { Logger } from '../src/log.ts';

export type QuietLog = Logger & { readonly lines: [level: string, message: string][] };

export function quietLog(lines: [string, string][] = []): QuietLog {
  const at = (level: string) => (message: string) => void lines.push([level, message]);
  return {
    lines,
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: () => quietLog(lines),
  };
}
