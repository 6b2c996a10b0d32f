import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, lstatSync, mkdirSync, readFileSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { version } from '../../src/core/version.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { root } from './repository.ts';

function run(program: string, args: readonly string[], cwd = '/', env: Readonly<Record<string, string>> = {}) {
  const { status, stdout, stderr } = spawnSync(program, args, {
    cwd,
    env: { ...process.env, ...env },
    encoding: 'utf8',
    timeout: 120_000,
  });
  return { status, stdout, stderr };
}

const launcher = join(root, 'bin/dragonfly');

test('runs from any directory, through links of links', async () => {
  await using directory = await temporaryDirectory();
  symlinkSync(launcher, directory.join('one'));
  symlinkSync('one', directory.join('two'));
  assert.deepEqual(run(directory.join('two'), ['--version'], directory.path), {
    status: 0,
    stdout: `dragonfly ${version}\n`,
    stderr: '',
  });
});

test('every link is the name of a program that is built', () => {
  const { stdout } = run(launcher, ['help']);
  const programs = [...stdout.matchAll(/^ {2}([a-z-]+) {2,}/gm)].map(([, name]) => name);
  assert.ok(programs.includes('up'), stdout);
  const links = readdirSync(join(root, 'bin')).filter((name) => lstatSync(join(root, 'bin', name)).isSymbolicLink());
  assert.ok(links.length > 0);
  for (const link of links) {
    assert.ok(programs.includes(link), `bin/${link} is not a program`);
    assert.equal(run(join(root, 'bin', link), ['--help']).status, 0, link);
  }
});

test('README.md names every program', () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  const { stdout } = run(launcher, ['help']);
  for (const [, name] of stdout.matchAll(/^ {2}([a-z-]+) {2,}/gm)) {
    assert.ok(
      readme.includes(`\`${name}\``) || readme.includes(`dragonfly ${name}`),
      `README.md does not name ${name}`,
    );
  }
});

test('programs know the words of the original in Go: version, and dfget daemon', () => {
  for (const program of ['dfget', 'scheduler', 'manager'])
    assert.equal(run(join(root, 'bin', program), ['version']).stdout, `${program} ${version}\n`);
  assert.match(run(join(root, 'bin/dfget'), ['daemon', '--help']).stdout, /^Usage: dfdaemon/);
});

test('what is not a program is refused in one sentence with a hint', () => {
  assert.deepEqual(run(launcher, ['frobnicate']), {
    status: 2,
    stdout: '',
    stderr: 'dragonfly: "frobnicate" is not a program of dragonfly\nhint: Run "dragonfly help" for the list.\n',
  });
});

test('says what to do when the dependencies are missing', async () => {
  await using directory = await temporaryDirectory();
  mkdirSync(directory.join('bin'));
  cpSync(launcher, directory.join('bin', 'dragonfly'));
  const { status, stderr } = run(directory.join('bin', 'dragonfly'), []);
  assert.equal(status, 5);
  assert.match(stderr, /dependencies in .* are missing\nhint: .*npm ci/);
});

test('a daemon, however it is called, gives memory back; what the environment says goes before', () => {
  const settings = 'process.stdout.write(process.env.MALLOC_MMAP_THRESHOLD_+process.execArgv);process.exit()';
  const print = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(settings)}` };
  const ofDaemon = /^131072.*--max-semi-space-size=\d+/;
  assert.match(run(join(root, 'bin/dfdaemon'), [], '/', print).stdout, ofDaemon);
  assert.match(run(launcher, ['dfdaemon', '--help'], '/', print).stdout, ofDaemon);
  assert.match(run(launcher, ['scheduler'], '/', print).stdout, ofDaemon);
  assert.doesNotMatch(run(launcher, ['dfget'], '/', print).stdout, /semi-space/);
  const own = { ...print, MALLOC_MMAP_THRESHOLD_: '65536' };
  assert.match(run(launcher, ['dfdaemon'], '/', own).stdout, /^65536.*/);
});

test('dfget loads nothing of what reads configuration, nor native libraries', () => {
  const hook = `import { registerHooks } from 'node:module';
    registerHooks({ load(url, context, next) { process.stderr.write(url + '\\n'); return next(url, context); } });`;
  const { stdout, stderr } = run(process.execPath, [
    '--import',
    `data:text/javascript,${encodeURIComponent(hook)}`,
    join(root, 'src/bin.ts'),
    'dfget',
    '--help',
  ]);
  assert.match(stdout, /^Usage: dfget/);
  assert.match(stderr, /cli\/dfget\/dfget\.ts/);
  assert.deepEqual(stderr.match(/^.*node_modules\/(zod|yaml|undici|@node-rs|@aws-sdk)\/.*$/gm) ?? [], []);
});
