/** What `npm pack` runs before it packs: the product as JavaScript in lib/, and the console. */
import { join } from 'node:path';
import { buildConsole } from './build-console.ts';
import { bundle, root } from './package/bundle.ts';

await buildConsole();
await bundle(join(root, 'lib'));
