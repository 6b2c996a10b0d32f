/** Control planes as processes of this machine: accounts in files, nodes that join with what the account was given, real downloads. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { AccountFiles } from '../../src/cli/operator/account-files.ts';
import { AccountPlane } from '../../src/cli/operator/account-plane.ts';
import { planProcesses, wantedProcesses, type ObservedProcess } from '../../src/cli/operator/process-plan.ts';
import { parseAccount, specSchema } from '../../src/cli/operator/spec.ts';
import { runOperator } from '../../src/cli/operator/operator.ts';
import { silentLogger } from '../../src/core/process/logger.ts';
import { daemonSocket, dfdaemonConfig } from '../../src/cli/up/config.ts';
import { ManagedProcess } from '../../src/cli/up/managed-process.ts';
import { HttpOrigin } from '../support/http-origin.ts';
import { productCommand } from '../support/product.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { waitFor } from '../support/wait-for.ts';
import { runTool } from './tool-io.ts';

const run = promisify(execFile);
const contentBytes = 12 * 2 ** 20;

interface Told {
  readonly version?: string;
  readonly ready: string;
  readonly endpoints: Readonly<Record<string, string>>;
  readonly conditions: readonly { readonly type: string; readonly status: string; readonly reason: string }[];
}

test(
  'two accounts: a download in each, an upgrade in place during one, and deletion that leaves nothing',
  { timeout: 300_000 },
  async () => {
    await using directory = await temporaryDirectory('df-op-');
    await using origin = await HttpOrigin.start();
    const content = randomBytes(contentBytes);
    const [accounts, state, versions] = ['accounts', 'state', 'versions'].map((name) => directory.join(name)) as [
      string,
      string,
      string,
    ];
    for (const path of [accounts, versions]) mkdirSync(path);
    const starts = directory.join('starts');
    for (const version of ['v1', 'v2'])
      writeFileSync(
        `${versions}/${version}`,
        `#!/bin/sh\necho ${version} "$1" "$3" >>${starts}\nexec ${productCommand('dragonfly').join(' ')} "$@"\n`,
        { mode: 0o755 },
      );
    const write = (name: string, version: string): void => {
      const object = { kind: 'P2PManager', metadata: { name }, spec: { version } };
      writeFileSync(`${accounts}/${name}.yaml`, JSON.stringify(object));
    };
    const told = (name: string): Told | undefined => {
      const path = `${state}/${name}/status.json`;
      return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Told) : undefined;
    };
    const complete = (name: string, version: string) =>
      waitFor(
        `${version} of ${name}`,
        () => {
          const { version: of, conditions = [] } = told(name) ?? {};
          return of === version && conditions.some(({ type, status }) => type === 'Progressing' && status === 'False');
        },
        120_000,
      );
    const startNode = async (name: string, account: string, tokenOf = account): Promise<ManagedProcess> => {
      const place = directory.join(name);
      mkdirSync(place, { recursive: true });
      const manager = told(account)?.endpoints['manager'] ?? '';
      writeFileSync(
        `${place}/config.yaml`,
        dfdaemonConfig({ name, directory: place, seed: false, proxyPort: 0 }, manager),
      );
      const env = { DRAGONFLY_JOIN_TOKEN: readFileSync(`${state}/${tokenOf}/join-token`, 'utf8') };
      return ManagedProcess.start({ name, program: 'dfdaemon', args: ['--config', `${place}/config.yaml`], env });
    };
    const download = async (node: string, url: string): Promise<string> => {
      const output = directory.join(node, 'output');
      const [program, ...words] = productCommand('dfget');
      await run(program, [...words, '--endpoint', daemonSocket(directory.join(node)), '-O', output, url]);
      return createHash('sha256').update(readFileSync(output)).digest('hex');
    };
    const digest = createHash('sha256').update(content).digest('hex');

    write('acme', 'v1');
    write('blue', 'v1');
    const stop = new AbortController();
    const running = runTool(runOperator, ['--accounts', accounts, '--state-dir', state, '--versions', versions], {
      signal: stop.signal,
    });
    try {
      await Promise.all([complete('acme', 'v1'), complete('blue', 'v1')]);
      assert.equal(told('acme')?.ready, '3/3');
      const keys = ['acme', 'blue'].flatMap((name) =>
        Object.values(JSON.parse(readFileSync(`${state}/${name}/keys.json`, 'utf8')) as Record<string, unknown>).filter(
          (key) => typeof key === 'string',
        ),
      );
      assert.equal(new Set(keys).size, 6);
      await assert.rejects(startNode('stranger', 'blue', 'acme'), /stranger ended at start/);

      await using _acme = await startNode('node-acme', 'acme');
      await using _blue = await startNode('node-blue', 'blue');
      const slow = origin.add('/slow', { content, gated: true });
      const during = download('node-acme', slow);
      await waitFor('the first bytes', () => origin.requestsFor('/slow').length > 0);
      origin.release('/slow', contentBytes / 4);
      const managerBefore = told('acme')?.endpoints['manager'];
      const startsOfBlue = (): string[] =>
        readFileSync(starts, 'utf8')
          .split('\n')
          .filter((line) => line.includes('/blue/'));
      const before = startsOfBlue();
      write('acme', 'v2');
      await complete('acme', 'v2');
      origin.release('/slow', Infinity);
      assert.equal(await during, digest);
      assert.equal(await download('node-blue', origin.add('/other', { content })), digest);
      // One after the other, and only of that account; the manager is where it was.
      const upgraded = readFileSync(starts, 'utf8')
        .split('\n')
        .filter((line) => line.startsWith('v2'));
      assert.deepEqual(
        upgraded.map((line) => line.split(' ')[1]),
        ['manager', 'scheduler', 'dfdaemon'],
      );
      assert.deepEqual(startsOfBlue(), before);
      assert.equal(told('acme')?.endpoints['manager'], managerBefore);

      // A process that ends is started again.
      const [pid] = processesBelow(`${state}/blue/scheduler-1`);
      assert.ok(pid);
      process.kill(pid, 'SIGKILL');
      await waitFor('another one', () => processesBelow(`${state}/blue/scheduler-1`).some((other) => other !== pid));
      await complete('blue', 'v1');
      rmSync(`${accounts}/acme.yaml`);
      write('blue', 'v1');
      await waitFor('the end of acme', () => !existsSync(`${state}/acme`));
      assert.deepEqual(processesBelow(`${state}/acme`), []);
      assert.equal(told('blue')?.ready, '3/3');
      assert.ok(processesBelow(`${state}/blue`).length >= 3);
    } finally {
      stop.abort();
      assert.equal((await running).exitCode, 0);
    }
    assert.deepEqual(processesBelow(state), []);
  },
);

function processesBelow(path: string): number[] {
  return globSync('/proc/[0-9]*/cmdline').flatMap((file) => {
    try {
      return readFileSync(file, 'utf8').includes(`${path}/`) ? [Number(file.split('/')[2])] : [];
    } catch {
      return [];
    }
  });
}

test('a file that does not say what it means is an error, as nobody knows who is gone', async () => {
  await using outside = await temporaryDirectory('df-op-');
  const directory = { join: (name: string): string => outside.join('accounts', name) };
  mkdirSync(directory.join(''));
  await assert.rejects(AccountFiles.open(outside.join('none')), /none cannot be read/);
  const files = await AccountFiles.open(outside.join('accounts'));
  const read = async (text: string, settled = true): Promise<string> => {
    writeFileSync(directory.join('b.yaml'), text);
    if (settled) utimesSync(directory.join('b.yaml'), 1, 1);
    return files.read().then(
      (accounts) => [...accounts.keys()].join(),
      (error: unknown) => (error as Error).message,
    );
  };
  const object = (name: string): string => JSON.stringify({ kind: 'P2PManager', metadata: { name } });
  writeFileSync(directory.join('a.json'), object('acme'));
  utimesSync(directory.join('a.json'), 1, 1);
  assert.equal(await read(`${object('blue')}\n---\n${object('red')}`), 'acme,blue,red');
  assert.match(await read(object('blue'), false), /b\.yaml is being written/);
  assert.match(await read(''), /b\.yaml is empty/);
  assert.match(await read('{'), /^b\.yaml: /);
  assert.match(await read(object('../x')), /something else/);
  assert.match(await read('kind: Secret'), /something else/);
  assert.match(await read(object('acme')), /acme is there twice/);
  // As where a file system was taken off.
  renameSync(outside.join('accounts'), outside.join('before'));
  mkdirSync(directory.join(''));
  assert.match(await read(object('blue')), /another directory than at the start/);
});

test('what is wished while something else is carried out is carried out next', { timeout: 60_000 }, async () => {
  await using outside = await temporaryDirectory('df-op-');
  const directory = outside.join('acme');
  const plane = new AccountPlane({ name: 'acme', directory, command: () => [], logger: silentLogger });
  const wish = (spec: object): void =>
    plane.look(parseAccount({ metadata: { name: 'acme', uid: 'u' }, spec }), undefined);
  wish({ version: 1 });
  wish({ image: 2 });
  await waitFor('the second wish', () => {
    const path = `${directory}/status.json`;
    return existsSync(path) && /spec\.image: /.test(readFileSync(path, 'utf8'));
  });
  await plane.end();
});

describe('what must happen next with processes', () => {
  const wanted = (version: string) => wantedProcesses(specSchema.parse({ version, scheduler: { replicas: 2 } }));
  const ready = (version: string, changes: Partial<Record<string, Partial<ObservedProcess>>> = {}): ObservedProcess[] =>
    wanted(version).map(({ config: _config, ...process }) => ({ ...process, isReady: true, ...changes[process.name] }));
  const plan = (version: string, observed: readonly ObservedProcess[]): unknown => {
    const { actions, waiting } = planProcesses(wanted(version), observed);
    return [
      ...actions.map((action) => `${action.do} ${'process' in action ? action.process.name : action.name}`),
      ...waiting,
    ];
  };

  test('the manager first; then all; one at a time when the version changes; what died is started, whatever changes', () => {
    assert.deepEqual(plan('v1', []), ['start manager-1']);
    assert.deepEqual(plan('v1', ready('v1').slice(0, 1)), [
      'start scheduler-1',
      'start scheduler-2',
      'start seed-peer-1',
    ]);
    assert.deepEqual(plan('v1', ready('v1')), []);
    assert.deepEqual(plan('v2', ready('v1')), ['replace manager-1', 'scheduler', 'seed-peer']);
    const half = [...ready('v2').slice(0, 2), ...ready('v1').slice(2)];
    assert.deepEqual(plan('v2', half), ['replace scheduler-2', 'seed-peer']);
    assert.deepEqual(plan('v2', ready('v1', { 'seed-peer-1': { isReady: false } })), [
      'replace manager-1',
      'start seed-peer-1',
      'scheduler',
    ]);
    assert.deepEqual(plan('v2', ready('v1', { 'manager-1': { isReady: false } })), [
      'start manager-1',
      'scheduler',
      'seed-peer',
    ]);
    const extra = { ...ready('v1')[1], name: 'scheduler-3' } as ObservedProcess;
    assert.deepEqual(plan('v1', [...ready('v1'), extra]), ['end scheduler-3']);
  });
});
