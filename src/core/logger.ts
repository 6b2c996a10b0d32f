/** Structured logs: one JSON line per event on standard error or in a file, secrets redacted. */
import { destination, pino, type Logger as PinoLogger } from 'pino';
import { redact } from './redact.ts';

export type Logger = PinoLogger;

export interface LoggerOptions {
  readonly level?: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';
  /** Absolute path of the log file; standard error when absent. */
  readonly file?: string;
}

export function createLogger(service: string, options: LoggerOptions = {}): Logger {
  return pino(
    {
      level: options.level ?? 'info',
      base: { service },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: ['header.authorization', 'header.cookie', '*.password', '*.secret', '*.token'], censor: '***' },
      hooks: {
        logMethod(args, method) {
          method.apply(this, args.map((arg: unknown) => (typeof arg === 'string' ? redact(arg) : arg)) as typeof args);
        },
      },
    },
    options.file === undefined
      ? destination({ fd: 2, sync: true })
      : destination({ dest: options.file, mkdir: true, sync: true }),
  );
}

export const silentLogger: Logger = pino({ level: 'silent' });
