/**
 * Runs a program of this repository on the Node pinned in node_modules, after installing what is missing.
 *
 *   node scripts/bootstrap.mjs [options of Node] PROGRAM [arguments]
 *
 * Plain JavaScript without dependencies: this file alone must run on the Node the machine happens to have (18 or later).
 */
import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import { constants as osConstants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const pinnedNode = join(root, 'node_modules/node/bin/node');

/**
 * npm records what it installed in node_modules/.package-lock.json, as the last step of an installation.
 * That record is the stamp: it names every package installed, and must agree with package-lock.json.
 */
function installed() {
  try {
    accessSync(pinnedNode, constants.X_OK);
    const wanted = packagesOf(join(root, 'package-lock.json'));
    const present = packagesOf(join(root, 'node_modules/.package-lock.json'));
    return (
      Object.entries(present).every(([path, entry]) => wanted[path]?.version === entry.version) &&
      Object.entries(wanted).every(
        ([path, entry]) => !path.startsWith('node_modules/') || entry.optional || path in present,
      )
    );
  } catch {
    return false;
  }
}

function packagesOf(path) {
  return JSON.parse(readFileSync(path, 'utf8')).packages;
}

function install() {
  process.stderr.write('Installing dependencies (once, some seconds) …\n');
  const npm = process.env.npm_execpath ? [process.execPath, process.env.npm_execpath] : ['npm'];
  // npm warns about our engines on an older Node although everything of ours runs on the pinned one: errors only.
  const args = ['ci', '--include=dev', '--ignore-scripts=false', '--no-audit', '--no-fund', '--loglevel=error'];
  const [program, ...first] = npm;
  // Results go to standard error: standard output belongs to the program that runs afterwards.
  const result = spawnSync(program, [...first, ...args], { cwd: root, stdio: ['ignore', 2, 2] });
  if (result.status === 0 && installed()) return;
  const why = result.error ? result.error.message : `npm ci ended with ${result.signal ?? result.status}`;
  process.stderr.write(`The dependencies could not be installed: ${why}\n`);
  process.stderr.write('hint: check that npm can reach its registry, then run "npm ci" here to see its whole output\n');
  process.exit(5);
}

function runOnPinnedNode(options, program, args) {
  const words = ['--disable-warning=ExperimentalWarning', ...options, join(root, program), ...args];
  const child = spawn(pinnedNode, words, { stdio: 'inherit' });
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, () => child.kill(name));
  child.on('error', (error) => {
    process.stderr.write(`Cannot run ${pinnedNode}: ${error.message}\n`);
    process.exit(5);
  });
  child.on('exit', (code, signal) => process.exit(code ?? 128 + osConstants.signals[signal]));
}

const words = process.argv.slice(2);
const at = words.findIndex((word) => !word.startsWith('-'));
const program = words[at];
if (Number(process.versions.node.split('.')[0]) < 18) {
  process.stderr.write(`Node ${process.versions.node} is too old to install the dependencies\n`);
  process.stderr.write('hint: install Node 18 or later; the product itself runs on the Node it brings along\n');
  process.exit(5);
}
if (program === undefined) {
  process.stderr.write('usage: node scripts/bootstrap.mjs [options of Node] PROGRAM [arguments]\n');
  process.exit(2);
}
if (!installed()) install();
runOnPinnedNode(words.slice(0, at), program, words.slice(at + 1));
