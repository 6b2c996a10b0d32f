/** The rules of the house that no linter knows. Each failure names file, line where it helps, and the rule. */
import assert from 'node:assert/strict';
import { accessSync, constants, existsSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';
import { errorCodes } from '../../src/core/errors.ts';
import { importsOf, read, repositoryFiles, root, withoutComments } from './repository.ts';

const files = repositoryFiles();
const typescript = files.filter((path) => /\.tsx?$/.test(path) && !path.startsWith('console/'));
const sources = typescript.filter((path) => path.startsWith('src/'));

/** What each room may import beside itself; arrows run down only. The entry point may import any of them. */
const allowedRooms: Readonly<Record<string, readonly string[]>> = {
  core: [],
  swarm: ['core'],
  rpc: ['swarm', 'core'],
  simulator: ['swarm', 'core'],
  cli: ['simulator', 'rpc', 'swarm', 'core'],
  dfdaemon: ['rpc', 'swarm', 'core'],
  scheduler: ['rpc', 'swarm', 'core'],
  manager: ['rpc', 'swarm', 'core'],
};

/** The values of core that are pure, and so may be used by the pure room. */
const pureCore = ['net/origin-status', 'errors', 'ids', 'piece-layout', 'byte-range', 'digest', 'hash-ring'];

function expectNone(problems: readonly string[]): void {
  assert.equal(problems.length, 0, `\n${problems.join('\n')}`);
}

/** `file:line: what` for every line of the code, comments left out, that matches. */
function linesMatching(paths: readonly string[], rules: Readonly<Record<string, RegExp>>): string[] {
  return paths.flatMap((path) => {
    const lines = withoutComments(read(path)).split('\n');
    return Object.entries(rules).flatMap(([what, pattern]) =>
      lines.flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}: ${what}`] : [])),
    );
  });
}

/** Above all rooms: what a process begins with. */
const entries = ['src/bin.ts', 'src/tracing.ts', 'src/executable.ts'];

test('imports run down the floors only', () => {
  const problems = sources.flatMap((path) => {
    const room = /^src\/([^/]+)\//.exec(path)?.[1];
    if (room === undefined) return entries.includes(path) ? [] : [`${path}: belongs to no room`];
    const allowed = allowedRooms[room];
    if (!allowed) return [`${path}: ${room} is not a room`];
    return importsOf(path).flatMap(({ target }) => {
      if (target === undefined || target === 'package.json') return [];
      const other = /^src\/([^/]+)\//.exec(target)?.[1];
      // What is made of the protocol's definitions belongs to the room that speaks it.
      if (target.startsWith('gen/') && (room === 'rpc' || allowed.includes('rpc'))) return [];
      // Tests stand beside the code they test and may use the helpers of all tests.
      if (path.endsWith('.test.ts') && target.startsWith('test/support/')) return [];
      if (other === room || (other !== undefined && allowed.includes(other))) return [];
      return [`${path}: ${room} must not import ${target}`];
    });
  });
  expectNone(problems);
});

test('the two sides of the swarm know only what they share', () => {
  const sides: Readonly<Record<string, string>> = {
    scheduler: 'scheduler|shared',
    peer: 'peer|shared',
    shared: 'shared',
  };
  const problems = Object.entries(sides).flatMap(([side, allowed]) =>
    sources
      .filter((path) => path.startsWith(`src/swarm/${side}/`))
      .flatMap((path) => importsOf(path).map(({ target }) => ({ path, target })))
      .filter(
        ({ target }) => target?.startsWith('src/swarm/') && !new RegExp(`^src/swarm/(?:${allowed})/`).test(target),
      )
      .map(({ path, target }) => `${path}: must not import ${target}`),
  );
  expectNone(problems);
});

test('what the product imports is installed with the product, not only for its developers', () => {
  const { dependencies } = JSON.parse(read('package.json')) as { dependencies: Record<string, string> };
  const product = sources.filter((path) => !path.endsWith('.test.ts'));
  const problems = product.flatMap((path) =>
    importsOf(path).flatMap(({ specifier, target }) => {
      if (target !== undefined || specifier.startsWith('node:')) return [];
      const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
      return name in dependencies ? [] : [`${path}: ${name} is not among the dependencies of package.json`];
    }),
  );
  // The launchers run on it.
  if (!('node' in dependencies)) problems.push('package.json: node is not among the dependencies');
  expectNone(problems);
});

test('the swarm is pure: no input or output, no clock, no chance, nothing asynchronous', () => {
  const pure = sources.filter((path) => path.startsWith('src/swarm/') && !path.endsWith('.test.ts'));
  const foreign = pure.flatMap((path) =>
    importsOf(path)
      .filter(({ specifier, target }) => {
        if (target?.startsWith('src/swarm/') || specifier === 'node:assert/strict') return false;
        return !pureCore.some((name) => target === `src/core/${name}.ts`);
      })
      .map(({ specifier }) => `${path}: must not import ${specifier}`),
  );
  const impure = linesMatching(pure, {
    'a clock: take the time as an argument': /\bDate\.now\b|\bnew Date\(\s*\)|\bperformance\b/,
    'chance: take a random source as an argument': /\bMath\.random\b|\brandomUUID\b|\bgetRandomValues\b/,
    'asynchronous: belongs into a shell': /\basync\b|\bawait\b|\bPromise\b/,
    'a timer: belongs into a shell': /\bset(?:Timeout|Interval|Immediate)\b|\bqueueMicrotask\b|\bnextTick\b/,
    'the process or the network: belongs into a shell': /\bprocess\.|\bfetch\(|\bglobalThis\b/,
  });
  expectNone([...foreign, ...impure]);
});

test('replicas of the manager stamp jobs and members by the one clock they share', () => {
  const shared = sources.filter((path) => /^src\/manager\/(?:jobs\/|clusters\/members\.ts$)/.test(path));
  assert.ok(shared.length > 10);
  expectNone(linesMatching(shared, { 'the clock of one replica: take that of the database': /\bDate\.now\b/ }));
});

test('no file has grown past 400 lines', () => {
  const problems = typescript
    .map((path) => ({ path, lines: read(path).split('\n').length - 1 }))
    .filter(({ lines }) => lines > 400)
    .map(({ path, lines }) => `${path}: ${lines} lines; which second thing moved in?`);
  expectNone(problems);
});

/** More than fit on a screen, and nobody sees any more what a folder is about. */
const filesPerFolder = 25;

test('no folder has grown past what one looks through: files, and tests beside them', () => {
  const rooms = files.filter((path) => /^(?:src|console\/src|test|bench|scripts|examples)\//.test(path));
  const kinds = Map.groupBy(rooms, (path) => `${dirname(path)}: ${/\.test\.tsx?$/.test(path) ? 'tests' : 'files'}`);
  expectNone([...kinds].flatMap(([kind, { length }]) => (length > filesPerFolder ? [`${length} in ${kind}`] : [])));
});

test('no comment is torn from what it describes: two in a row describe one thing', () => {
  const problems = sources.flatMap((path) => {
    const text = read(path);
    // The comment of a file stands before its imports; where it has none, the first one of its contents follows.
    return [...text.matchAll(/\*\/\n[ \t]*\/\*\*/g)]
      .filter(({ index }) => /^(?:import|export|const|function|class|interface|type|  )/m.test(text.slice(0, index)))
      .map(({ index }) => `${path}:${text.slice(0, index).split('\n').length}: which of the two belongs here?`);
  });
  expectNone(problems);
});

test('names are kebab-case', () => {
  const pattern = /^(?:[a-z0-9]+(?:[-.][a-z0-9]+)*|README\.md)$/;
  const rooms = files.filter((path) => /^(?:src|test|scripts|bench|api|examples)\//.test(path));
  expectNone(rooms.filter((path) => !path.split('/').every((name) => pattern.test(name))));
});

test('exports have names, the process ends in one place, no test is switched off, nothing is left for later', () => {
  // A reporter of node:test has to be the default export of its module.
  const named = typescript.filter((path) => !/^scripts\/\w+-reporter\.ts$/.test(path));
  const notEntry = sources.filter((path) => path !== 'src/bin.ts');
  const thisFile = 'test/house/tidy.test.ts';
  expectNone([
    ...linesMatching(named, { 'default export': /^\s*export default\b/ }),
    ...linesMatching(notEntry, { 'process.exit outside the entry point': /\bprocess\.exit\(/ }),
    ...linesMatching(
      typescript.filter((path) => path !== thisFile),
      { 'a test on its own or switched off': /\b(?:test|it|describe|suite|t|context)\.(?:only|skip|todo)\(/ },
    ),
    ...files
      .filter((path) => /\.(?:tsx?|mjs|md|proto|ya?ml)$/.test(path) && path !== thisFile)
      .flatMap((path) => (/\b(?:TODO|FIXME|XXX)\b/.test(read(path)) ? [`${path}: finish it or leave it out`] : [])),
  ]);
});

test('no file names a machine, a workplace or a package registry', () => {
  // Written in parts, so that this file does not contain what it forbids.
  const forbidden = [
    ['/wo', 'rk/'],
    ['/ro', 'ot/'],
    ['/tmp/ba', 'sh_jobs'],
    ['registry.', 'npmjs.org'],
    ['proxy.', 'golang.org'],
    ['deb.', 'debian.org'],
  ].map((parts) => parts.join(''));
  const text = files.filter((path) => !/\.(?:png|ico|woff2?|bin|gz)$/.test(path));
  expectNone(
    text.flatMap((path) => {
      const content = read(path);
      return forbidden.filter((word) => content.includes(word)).map((word) => `${path}: contains ${word}`);
    }),
  );
});

test('docs/errors.md explains exactly the codes of the catalogue, with their numbers', () => {
  const rows = [...read('docs/errors.md').matchAll(/^\| `([A-Z_]+)`\s*\| (\d+)\s*\| (\d+)\s*\| (\d+)\s*\|/gm)];
  const documented = rows.map(([, code, grpc, http, exit]) => `${code} ${grpc} ${http} ${exit}`).sort();
  const expected = Object.entries(errorCodes).map(([code, { grpc, http, exit }]) => `${code} ${grpc} ${http} ${exit}`);
  assert.deepEqual(documented, expected.sort());
});

test('launchers and scripts are executable', () => {
  const programs = files.filter((path) => path.startsWith('bin/') || path === '.ci/run');
  assert.ok(programs.length > 1);
  for (const path of programs) accessSync(join(root, path), constants.X_OK);
});

test('relative links in documents lead somewhere', () => {
  const problems = files
    .filter((path) => path.endsWith('.md'))
    .flatMap((path) =>
      [...read(path).matchAll(/\]\(([^)\s]+)\)|<img [^>]*src="([^"]+)"/g)]
        .map(([, link, image]) => (link ?? image ?? '').replace(/#.*$/, ''))
        .filter((link) => link !== '' && !/^[a-z]+:/.test(link))
        .filter((link) => !existsSync(join(root, normalize(join(dirname(path), link)))))
        .map((link) => `${path}: ${link} does not exist`),
    );
  expectNone(problems);
});
