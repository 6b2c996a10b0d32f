/** Packages of the executables in dist/ for systems: `npm run build:packages`, or `npm run build:packages -- x64`. */
import { shown } from './package/bundle.ts';
import { platforms } from './package/platforms.ts';
import { buildSystemPackages } from './package/system-packages.ts';

const wanted = process.argv.slice(2);
for (const platform of platforms.filter(({ arch }) => wanted.length === 0 || wanted.includes(arch))) {
  for (const file of await buildSystemPackages(platform)) process.stdout.write(`${shown(file)}\n`);
}
