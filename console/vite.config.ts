import { gzipSync, brotliCompressSync, constants } from 'node:zlib';
import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';

/** Where `vite dev` finds a running manager. */
const manager = process.env['DRAGONFLY_MANAGER'] ?? 'http://127.0.0.1:8080';

export default defineConfig({
  root: import.meta.dirname,
  // Relative: the same files work under every path prefix.
  base: './',
  plugins: [react(), precompress()],
  build: { target: 'es2023', manifest: true, chunkSizeWarningLimit: 400 },
  server: { proxy: { '/api': manager } },
});

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
