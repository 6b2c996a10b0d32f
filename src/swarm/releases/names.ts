/** Names of published directories and of their versions. Both are used as file names and as parts of addresses. */
import { DragonflyError } from '../../core/errors.ts';

const nameShape = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const versionShape = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

export interface ReleaseReference {
  readonly name: string;
  readonly version: string;
}

/** `name@version`. Throws INVALID_ARGUMENT. */
export function parseReference(text: string): ReleaseReference {
  const at = text.indexOf('@');
  if (at === -1)
    throw new DragonflyError('INVALID_ARGUMENT', `"${text}" names no version`, { hint: 'Write it as NAME@VERSION.' });
  const [name, version] = [text.slice(0, at), text.slice(at + 1)];
  requireName(name);
  requireVersion(version);
  return { name, version };
}

/** Throws INVALID_ARGUMENT. */
export function requireName(name: string): void {
  if (nameShape.test(name)) return;
  throw bad('name', name, 128);
}

/** Throws INVALID_ARGUMENT. */
export function requireVersion(version: string): void {
  if (versionShape.test(version)) return;
  throw bad('version', version, 64);
}

function bad(what: string, text: string, length: number): DragonflyError {
  return new DragonflyError('INVALID_ARGUMENT', `"${text.slice(0, 200)}" cannot be a ${what}`, {
    hint: `A ${what} begins with a letter or digit; letters, digits, ".", "_" and "-" follow, ${length} characters in all.`,
  });
}
