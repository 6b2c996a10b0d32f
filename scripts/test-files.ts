/** The test files of the repository, and the programs each of them starts. */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Those whose path contains one of the patterns; without patterns all but the large ones. Paths from the root. */
export function testFiles(patterns: readonly string[]): string[] {
  const all = globSync(['src/**/*.test.ts', 'test/**/*.test.ts'], { cwd: root }).sort();
  // The longest first, so that no processor waits for them at the end.
  const files = [...all.filter(isSlow), ...all.filter((file) => !isSlow(file))];
  if (patterns.length > 0) return files.filter((file) => patterns.some((pattern) => file.includes(pattern)));
  // Gigabytes and minutes: `npm run test:large`.
  return files.filter((file) => !file.startsWith('test/large/'));
}

function isSlow(file: string): boolean {
  return /^test\/(?:e2e\/|.*engines)/.test(file);
}

/** The programs a test file names in a line `// needs: nginx, skopeo`. */
export function neededPrograms(file: string): string[] {
  const list = /^\/\/ needs: (.+)$/m.exec(readFileSync(join(root, file), 'utf8'))?.[1] ?? '';
  return list
    .split(',')
    .map((name) => name.trim())
    .filter(Boolean);
}
