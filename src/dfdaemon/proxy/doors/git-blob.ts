/** Small files, which are held in memory while they are compared with their names. */
import { read } from 'node:fs';
import { promisify } from 'node:util';
import type { OpenTask } from '../../task/open-task.ts';

const readAt = promisify(read);

/** Reads the whole content and closes the task; undefined when its length differs. Rejects when the download fails. */
export async function smallContentOf(opened: OpenTask, lengthBytes: number): Promise<Buffer | undefined> {
  await using task = opened;
  if (task.contentLengthBytes !== undefined && task.contentLengthBytes !== lengthBytes) return undefined;
  const content = Buffer.allocUnsafe(lengthBytes);
  let end = 0;
  for await (const { fd, offset, length } of task.spans()) {
    if (end + length > lengthBytes) return undefined;
    for (let done = 0; done < length;) {
      const { bytesRead } = await readAt(fd, content, end, length - done, offset + done);
      if (bytesRead === 0) return undefined;
      done += bytesRead;
      end += bytesRead;
    }
  }
  return end === lengthBytes ? content : undefined;
}
