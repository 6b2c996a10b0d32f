import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync, brotliCompressSync, constants } from 'node:zlib';
import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';

const simulationMs = 60_000;
/** Where `vite dev` finds a running manager. */
const manager = process.env['DRAGONFLY_MANAGER'] ?? 'http://127.0.0.1:8080';

export default defineConfig({
  root: import.meta.dirname,
  // Relative: the same files work under every path prefix.
  base: './',
  plugins: [react(), spreads(), precompress()],
  build: { target: 'es2023', manifest: true, chunkSizeWarningLimit: 400 },
  server: { proxy: { '/api': manager } },
});

/** How the same content spreads by three ways, as the simulator of this commit says: what newcomers are shown. */
function spreads(): Plugin {
  const name = 'virtual:spreads';
  const own = `\0${name}`;
  return {
    name: 'spreads',
    resolveId: (id) => (id === name ? own : undefined),
    load: async (id) => {
      if (id !== own) return undefined;
      const runs = await Promise.all(['tree', 'dag', 'ours'].map((arm) => simulated(arm)));
      return `export default JSON.parse(${JSON.stringify(`[${runs.join(',')}]`)});`;
    },
  };
}

async function simulated(arm: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'dragonfly-spread-'));
  try {
    const file = join(directory, 'moves.json');
    const main = join(import.meta.dirname, '../src/bin.ts');
    const bed = ['--peers', '60', '--size', '400MB', '--arm', arm, '--moves', file];
    await promisify(execFile)(process.execPath, [main, 'dragonfly', 'simulate', ...bed], { timeout: simulationMs });
    return await readFile(file, 'utf8');
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Writes `.gz` and `.br` beside each text file, so that the manager never compresses while it answers. */
function precompress(): Plugin {
  return {
    name: 'precompress',
    apply: 'build',
    generateBundle: {
      order: 'post',
      handler(_options, bundle) {
        for (const [fileName, file] of Object.entries(bundle)) {
          if (!/\.(js|css|svg)$/.test(fileName)) continue;
          const source = Buffer.from(file.type === 'chunk' ? file.code : file.source);
          this.emitFile({ type: 'asset', fileName: `${fileName}.gz`, source: gzipSync(source, { level: 9 }) });
          const params = { [constants.BROTLI_PARAM_QUALITY]: 9 };
          this.emitFile({ type: 'asset', fileName: `${fileName}.br`, source: brotliCompressSync(source, { params }) });
        }
      },
    },
  };
}
