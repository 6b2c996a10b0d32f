/** Structured logs: one JSON line per event on standard error or in a file, secrets redacted. */
import { destination, pino, type Logger as PinoLogger } from 'pino';
import { DragonflyError } from '../errors.ts';
import { redact } from '../redact.ts';
import { RotatingFile, type LogRotation } from '../files/rotating-file.ts';

export type Logger = PinoLogger;

export interface LoggerOptions {
  readonly level?: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';
  /** Standard error when absent. */
  readonly file?: LogFile | undefined;
}

export interface LogFile {
  /** Absolute. */
  readonly path: string;
  readonly rotation: LogRotation;
}

/** Throws OUTPUT when the log file cannot be opened. */
export function createLogger(service: string, options: LoggerOptions = {}): Logger {
  return pino(
    {
      level: options.level ?? 'info',
      base: { service },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }), log: withoutSecrets },
      redact: { paths: ['header.authorization', 'header.cookie', '*.password', '*.secret', '*.token'], censor: '***' },
      hooks: {
        logMethod(args, method) {
          method.apply(this, args.map((arg: unknown) => (typeof arg === 'string' ? redact(arg) : arg)) as typeof args);
        },
      },
    },
    options.file === undefined ? destination({ fd: 2, sync: true }) : openFile(options.file),
  );
}

/** URLs and the like also come as fields. */
function withoutSecrets(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, typeof value === 'string' ? redact(value) : value]),
  );
}

function openFile({ path, rotation }: LogFile): RotatingFile {
  try {
    return new RotatingFile(path, rotation);
  } catch (cause) {
    throw new DragonflyError('OUTPUT', `the log ${path} cannot be written: ${(cause as Error).message}`, {
      cause,
      hint: 'Choose another directory with --log-dir, or log to standard error with --console.',
    });
  }
}

export const silentLogger: Logger = pino({ level: 'silent' });
