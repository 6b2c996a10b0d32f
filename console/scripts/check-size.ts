/**
 * What a browser loads before the first page shows, compressed: the entry, everything it imports, and the heaviest of
 * the first pages (sign-in, overview). Fails when it is more than the budget.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

interface Chunk {
  readonly file: string;
  readonly css?: readonly string[];
  readonly imports?: readonly string[];
}

const budgetBytes = 300 * 1024;
const firstPages = ['src/session/sign-in-page.tsx', 'src/overview/overview-page.tsx'];

const dist = join(import.meta.dirname, '../dist');
const manifest = JSON.parse(readFileSync(join(dist, '.vite/manifest.json'), 'utf8')) as Readonly<Record<string, Chunk>>;

function filesOf(names: readonly string[], found = new Set<string>()): Set<string> {
  for (const name of names) {
    const chunk = manifest[name];
    if (!chunk) throw new Error(`${name} is not in the build`);
    if (found.has(chunk.file)) continue;
    found.add(chunk.file);
    for (const file of chunk.css ?? []) found.add(file);
    filesOf(chunk.imports ?? [], found);
  }
  return found;
}

function gzippedBytes(file: string): number {
  return gzipSync(readFileSync(join(dist, file)), { level: 9 }).length;
}

let worstBytes = 0;
for (const page of firstPages) {
  const files = [...filesOf(['index.html', page])];
  const bytes = gzippedBytes('index.html') + files.reduce((sum, file) => sum + gzippedBytes(file), 0);
  worstBytes = Math.max(worstBytes, bytes);
  process.stdout.write(`${page}: ${files.length} files, ${(bytes / 1024).toFixed(1)} KiB gzipped\n`);
}
if (worstBytes > budgetBytes) {
  process.stderr.write(`the first load is more than ${budgetBytes / 1024} KiB\n`);
  process.exitCode = 1;
}
