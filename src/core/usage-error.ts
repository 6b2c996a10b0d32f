/** Turns a command line that the parser rejects into one sentence; its guess of what was meant becomes the hint. */
import type { CommanderError } from 'commander';
import { DragonflyError } from './errors.ts';

export function usageError(error: CommanderError, hint: string): DragonflyError {
  const [message = '', guess] = error.message.replace(/^error: /, '').split('\n');
  const meant = guess === undefined ? '' : `${guess.replace(/^\(|\)$/g, '')} `;
  return new DragonflyError('INVALID_ARGUMENT', message, { hint: `${meant}${hint}`, cause: error });
}
