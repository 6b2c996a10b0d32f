/** The images of the executables in dist/, without a container engine: `npm run build:image`, or `npm run build:image -- x64`. */
import { shown } from './package/bundle.ts';
import { buildImages } from './package/image/image.ts';
import { platforms } from './package/platforms.ts';

const wanted = process.argv.slice(2);
const chosen = platforms.filter(({ arch }) => wanted.length === 0 || wanted.includes(arch));
for (const path of await buildImages(chosen)) process.stdout.write(`${shown(path)}\n`);
