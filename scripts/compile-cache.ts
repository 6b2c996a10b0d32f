/** Loaded before a test file: modules that earlier files or runs have compiled are not compiled again, which is most of a small file's time. */
import { enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';

// Not by NODE_COMPILE_CACHE, which the programs that a test starts would inherit.
enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/tests', import.meta.url)));
