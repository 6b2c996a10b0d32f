/** Certificates and keys of a configuration: the PEM itself, or the path of a file that holds it. */
import { readFile } from 'node:fs/promises';
import { DragonflyError } from '../errors.ts';

/**
 * Throws CONFIG_INVALID, with the key of the configuration, for a file that cannot be read; what `read` says as a
 * DragonflyError is passed on.
 */
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
