/** Patterns of repositories and tags, where `*` stands for anything. Pure. */
import { compilePattern } from '../../core/pattern.ts';

export function matchesGlob(glob: string, text: string): boolean {
  const expression = glob.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`).replaceAll('*', '.*');
  return compilePattern(`^${expression}$`)?.test(text) ?? false;
}
