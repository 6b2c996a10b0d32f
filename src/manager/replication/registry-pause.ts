/** Answers of registries that are not what was asked for, and those that ask for patience. */
import { DragonflyError } from '../../core/errors.ts';
import { statusError, type RegistryAnswer } from '../../rpc/registry/registry-answer.ts';

/** A registry that wants to be left alone for a while. */
export class RegistryPause extends DragonflyError {
  readonly retryAfterMs: number;

  constructor(host: string, status: number, retryAfterMs: number) {
    const seconds = Math.ceil(retryAfterMs / 1000);
    super('RESOURCE_EXHAUSTED', `${host} answered ${status} and wants to be asked again in ${seconds} s`);
    this.retryAfterMs = retryAfterMs;
  }
}

/** Throws SOURCE_STATUS, RESOURCE_EXHAUSTED. */
export function requireStatus(url: string, answer: RegistryAnswer, status: number): RegistryAnswer {
  const after = answer.header('retry-after');
  if (answer.status === 429 || (answer.status === 503 && after !== undefined))
    throw new RegistryPause(new URL(url).host, answer.status, retryAfterMs(after, Date.now()));
  if (answer.status !== status) throw statusError(url, answer);
  return answer;
}

/** Seconds or a date; a minute where nothing is said. */
function retryAfterMs(text: string | undefined, nowMs: number): number {
  const seconds = /^\d{1,6}$/.test(text ?? '') ? Number(text) : (Date.parse(text ?? '') - nowMs) / 1000;
  return Number.isFinite(seconds) ? Math.min(Math.max(seconds, 1), 86_400) * 1000 : 60_000;
}
