/**
 * The product as JavaScript: what an installed package runs from lib/, and what the executable has inside. Each program stays in
 * files of its own, so that it loads only what it needs. Libraries are part of them, but those with native code.
 */
import { execFileSync } from 'node:child_process';
import { cp, rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import {
  embedNative,
  inlineFiles,
  lazyLibraries,
  nativeLibraries,
  serverNames,
  swaggerFiles,
} from './bundle-plugins.ts';

export const root = fileURLToPath(new URL('../../', import.meta.url));

/** Each is run as a thread by its text, so it has to be whole. */
const threads = [
  'dfdaemon/task/proof/digest-worker',
  'dfdaemon/task/proof/piece-hash-worker',
  'dfdaemon/proxy/doors/xet/xorb-check-worker',
  'dfdaemon/imports/scan-worker',
];

/** Short name of the commit the tree is at, `-dirty` when files differ from it; undefined without git. */
function commit(): string | undefined {
  const git = (...args: string[]): string => execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();
  try {
    return git('rev-parse', '--short=12', 'HEAD') + (git('status', '--porcelain') === '' ? '' : '-dirty');
  } catch {
    return undefined;
  }
}

/** @param embed for the executable, which has its native libraries inside of it. */
export async function bundle(directory: string, { embed = false } = {}): Promise<void> {
  await rm(directory, { recursive: true, force: true });
  const name = process.env['DRAGONFLY_COMMIT'] ?? commit();
  const common = {
    cwd: root,
    platform: 'node' as const,
    external: embed ? [] : nativeLibraries,
    plugins: [lazyLibraries, inlineFiles, serverNames, swaggerFiles, ...(embed ? [embedNative] : [])],
    transform: { define: { buildCommit: name === undefined ? 'undefined' : JSON.stringify(name) } },
    logLevel: 'warn' as const,
  };
  // White space goes; names stay, for stack traces and for libraries that look at names.
  const output = { format: 'esm' as const, minify: { compress: false, mangle: false, codegen: true } };
  // As deep as they are in src/: `core/own-files.ts` goes by it.
  const names = { entryFileNames: 'core/[name].js', chunkFileNames: 'core/[name]-[hash].js' };
  await using programs = await rolldown({ ...common, input: { bin: 'src/bin.ts', tracing: 'src/tracing.ts' } });
  await programs.write({ ...output, ...names, dir: directory });
  for (const module of embed ? ['executable', ...threads] : threads) {
    // Node runs the text of a thread as CommonJS.
    const format = embed && module !== 'executable' ? 'cjs' : 'esm';
    await using alone = await rolldown({ ...common, input: `src/${module}.ts` });
    await alone.write({ ...output, format, file: join(directory, `${module}.js`), codeSplitting: false });
  }
  // The page itself is written by the library.
  const filter = (path: string): boolean => !path.endsWith('.html');
  await cp(join(root, 'node_modules/@fastify/swagger-ui/static'), join(directory, 'swagger'), {
    recursive: true,
    filter,
  });
}

/** As it is called from the root of the repository. */
export function shown(path: string): string {
  return relative(root, path);
}
