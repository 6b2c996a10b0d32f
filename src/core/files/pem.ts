/** Certificates and keys in a configuration: PEM text, or the path of a file with it. */
import { readFile } from 'node:fs/promises';
import { DragonflyError } from '../errors.ts';

/** Throws CONFIG_INVALID with the configuration key for a file that cannot be read; a DragonflyError of `read` is passed on. */
export async function pemOf(
  textOrPath: string,
  key: string,
  read: (path: string) => Promise<Buffer> = readFile,
): Promise<string> {
  if (textOrPath.includes('-----BEGIN ')) return textOrPath;
  try {
    return (await read(textOrPath)).toString();
  } catch (cause) {
    if (cause instanceof DragonflyError) throw cause;
    throw new DragonflyError('CONFIG_INVALID', `${key} cannot be read: ${(cause as Error).message}`, {
      cause,
      hint: 'Give PEM, or the path of a PEM file.',
    });
  }
}
