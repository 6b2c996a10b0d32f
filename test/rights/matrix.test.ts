/** Everybody × everything × every policy, tried from another machine against a whole cluster; the table in docs/security.md is what came of it. */
// needs: ip
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { NamespaceNetwork } from '../support/network-namespaces.ts';
import { actions, type Action } from './actions.ts';

const run = promisify(execFile);
const program = fileURLToPath(new URL('cluster.ts', import.meta.url));
const docs = new URL('../../docs/security.md', import.meta.url);
const [begin, end] = ['<!-- matrix: begin -->\n', '<!-- matrix: end -->\n'];
const policies = ['plain', 'prefer', 'force'] as const;

type Outcomes = Record<Action, Record<string, string>>;

function deletesOf(...calls: readonly string[]): string[] {
  return ['DeleteTask', ...calls.flatMap((call) => [`${call} at the scheduler`, call])];
}

/** By which ways it goes; what is not named here goes by none. */
const always: Record<string, Partial<Record<Action, string[]>>> = {
  stranger: {},
  'proxy client': {},
  'local user': {
    'read metadata': ['StatLocalTask'],
    write: ['DownloadTask', 'UploadPersistentCacheTask', 'UploadPersistentTask'],
    delete: ['DeleteTask', 'RemoveKeptTask', 'RemovePersistentTask'],
  },
  peer: { 'read metadata': ['StatTask'], register: ['ReportRelease'] },
  seed: { 'read metadata': ['StatTask'], register: ['UpdateSeedPeer', 'ReportRelease'] },
  scheduler: {
    'read metadata': ['StatLocalTask', 'StatTask', 'ListHosts'],
    write: ['UpdatePersistentCacheTask', 'UpdatePersistentTask'],
    delete: deletesOf('DeletePersistentCacheTask', 'DeletePersistentTask'),
    register: ['UpdateScheduler'],
    schedule: ['DownloadTask'],
    preheat: ['PreheatFile'],
  },
  manager: {
    'read metadata': ['StatLocalTask', 'StatTask', 'ListHosts'],
    write: ['UpdatePersistentCacheTask', 'UpdatePersistentTask'],
    delete: deletesOf('DeletePersistentCacheTask', 'DeletePersistentTask'),
    schedule: ['DownloadTask'],
    preheat: ['PreheatFile'],
  },
};

/** Where nobody has a certificate, whoever reaches the manager may register the address he calls from. */
const open = { register: ['UpdateScheduler', 'UpdateSeedPeer', 'ReportRelease', 'ReportRelease of the node'] };
const plain: typeof always = {
  ...always,
  stranger: open,
  'local user': { ...always['local user'], ...open },
  peer: open,
  seed: open,
  // Its key is known to the nodes, not to other schedulers.
  scheduler: {
    ...always['scheduler'],
    'read metadata': ['StatLocalTask'],
    delete: ['DeleteTask', 'DeletePersistentCacheTask', 'DeletePersistentTask'],
    preheat: [],
    ...open,
  },
  manager: { ...always['manager'], ...open },
};

describe('rights', { timeout: 600_000, skip: process.geteuid?.() !== 0 && 'needs root' }, () => {
  const found = new Map<string, Record<string, Outcomes>>();

  for (const policy of policies) {
    test(`under ${policy} everybody can do what the table says, and nothing else`, async () => {
      await using network = await NamespaceNetwork.create({ hosts: 2 });
      const [a, b] = network.hosts;
      assert.ok(a && b);
      const [enter = '', ...words] = a.enter;
      const args = [...words, process.execPath, program, policy, a.address, b.address, JSON.stringify(b.enter)];
      const { stdout } = await run(enter, args, { timeout: 180_000 });
      const outcomes = JSON.parse(stdout) as Record<string, Outcomes>;
      found.set(policy, outcomes);
      const expected = policy === 'plain' ? plain : always;
      assert.deepEqual(Object.keys(outcomes), Object.keys(expected));
      for (const [who, allowed] of Object.entries(expected))
        for (const action of actions)
          assert.deepEqual(
            waysOf(outcomes[who]?.[action]),
            allowed[action] ?? [],
            `${who}, ${action}: ${JSON.stringify(outcomes[who]?.[action])}`,
          );
    });
  }

  test('the table in docs/security.md', async () => {
    const table = policies.map((policy) => tableOf(policy, found.get(policy) ?? {})).join('\n');
    const written = await readFile(docs, 'utf8');
    const [before = '', rest = ''] = written.split(begin);
    const [known = '', behind = ''] = rest.split(end);
    if (process.env['DRAGONFLY_WRITE_DOCS'] === '1')
      return writeFile(docs, `${before}${begin}\n${table}\n${end}${behind}`);
    assert.deepEqual(cells(known), cells(table), 'DRAGONFLY_WRITE_DOCS=1 writes it');
  });
});

function waysOf(outcomes: Record<string, string> = {}): string[] {
  return Object.entries(outcomes).flatMap(([way, said]) => (said === 'yes' ? [way] : []));
}

function tableOf(policy: string, outcomes: Record<string, Outcomes>): string {
  const rows = Object.entries(outcomes).map(
    ([who, done]) => `| ${who} | ${actions.map((action) => waysOf(done[action]).join(', ')).join(' | ')} |\n`,
  );
  return `| ${policy} | ${actions.join(' | ')} |\n|${' --- |'.repeat(actions.length + 1)}\n${rows.join('')}`;
}

function cells(table: string): string[][] {
  return table
    .split('\n')
    .filter((line) => line.startsWith('|') && !line.includes('---'))
    .map((line) => line.split('|').map((cell) => cell.trim()));
}
