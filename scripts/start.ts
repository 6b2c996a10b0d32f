/** What `npm start` runs: builds the console when that is needed, then `dragonfly up` with the same arguments. */
import { buildConsole } from './build-console.ts';

const args = process.argv.slice(2);
refuseSwallowedFlags();
try {
  await buildConsole();
} catch (error) {
  process.stderr.write(
    `The console could not be built, so the cluster starts without it: ${(error as Error).message}\n`,
  );
}
process.argv.splice(2, process.argv.length, 'dragonfly', 'up', ...args);
await import('../src/bin.ts');

/** Without `--` npm keeps flags for itself, as npm_config_… in the environment, and they would silently mean nothing. */
function refuseSwallowedFlags(): void {
  const swallowed = ['peers', 'size', 'once', 'directory'].filter((name) => `npm_config_${name}` in process.env);
  if (swallowed.length === 0) return;
  process.stderr.write(`up: npm kept ${swallowed.map((name) => `--${name}`).join(', ')} for itself\n`);
  process.stderr.write('hint: put two dashes before the arguments: npm start -- --peers 8 --once\n');
  process.exit(2);
}
