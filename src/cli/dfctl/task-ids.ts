/** Task ids as people type them: complete, or the first digits of one that is stored on this node. */
import { DragonflyError } from '../../core/errors.ts';
import { isTaskId } from '../../core/ids.ts';
import type { DaemonClient } from '../dfget/download.ts';

const minDigits = 4;

/** Throws INVALID_ARGUMENT for a text that is no task id or fits several tasks, NOT_FOUND when no task begins like this. */
export async function wholeTaskIds(
  texts: readonly string[],
  client: DaemonClient,
  signal: AbortSignal,
): Promise<string[]> {
  if (texts.every(isTaskId)) return [...texts];
  const typed = new RegExp(`^[0-9a-f]{${minDigits},64}$`);
  const wrong = texts.find((text) => !typed.test(text));
  if (wrong !== undefined) {
    throw new DragonflyError('INVALID_ARGUMENT', `"${wrong}" is not a task id`, {
      hint: `Write its 64 lower-case hexadecimal digits, or the first ${minDigits} or more; "dfctl task ls" shows them.`,
    });
  }
  const { tasks } = await client.listLocalTasks({}, { signal });
  return texts.map((text) => (isTaskId(text) ? text : onlyMatch(text, tasks)));
}

function onlyMatch(text: string, tasks: readonly { taskId: string }[]): string {
  const [match, ...others] = tasks.filter(({ taskId }) => taskId.startsWith(text));
  if (!match) throw new DragonflyError('NOT_FOUND', `no task on this node begins with ${text}`);
  if (others.length === 0) return match.taskId;
  throw new DragonflyError('INVALID_ARGUMENT', `${others.length + 1} tasks on this node begin with ${text}`, {
    hint: 'Write more digits.',
  });
}
