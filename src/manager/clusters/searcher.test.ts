import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLogger } from '../../core/process/logger.ts';
import { loadSearcher } from './searcher-plugin.ts';
import { score, weightedSearcher, type SearchCandidate, type SearchingDaemon } from './searcher.ts';

const nobody: SearchingDaemon = { ip: '127.0.0.1', hostname: 'n' };

function cluster(scopes: Partial<SearchCandidate['scopes']>, isDefault = false, id = 1): SearchCandidate {
  return { id, isDefault, scopes: { cidrs: [], hostnames: [], ...scopes } };
}

const vectors: readonly [string, SearchCandidate, Partial<SearchingDaemon>, number][] = [
  ['nothing matches', cluster({}), {}, 0],
  ['the default cluster', cluster({}, true), {}, 0.01],
  ['an address inside a network', cluster({ cidrs: ['10.0.0.0/8'] }), { ip: '10.1.2.3' }, 0.3],
  ['a v4-mapped v6 address', cluster({ cidrs: ['10.0.0.0/8'] }), { ip: '::ffff:10.1.2.3' }, 0.3],
  ['a v6 network', cluster({ cidrs: ['2001:db8::/32'] }), { ip: '2001:db8::7' }, 0.3],
  ['a v4 address and a v6 network', cluster({ cidrs: ['::/0'] }), { ip: '10.1.2.3' }, 0],
  ['a bad network is skipped', cluster({ cidrs: ['ten/8', '10.0.0.0/8'] }), { ip: '10.1.2.3' }, 0.3],
  ['a host name matches unanchored', cluster({ hostnames: ['gpu-\\d+'] }), { hostname: 'rack1-gpu-42' }, 0.3],
  ['an unusable pattern', cluster({ hostnames: ['('] }), { hostname: '(' }, 0],
  ['one of several data centres, any case', cluster({ idc: 'IDC-1|idc-2' }), { idc: 'idc-1' }, 0.25],
  ['another data centre', cluster({ idc: 'idc-1' }), { idc: 'idc-10' }, 0],
  ['an equal location', cluster({ location: 'asia|china' }), { location: 'Asia|China' }, 0.14],
  ['two common elements', cluster({ location: 'a|b|c' }), { location: 'a|b|x' }, 0.14 * 0.4],
  ['a full prefix counts its elements', cluster({ location: 'a|b|c' }), { location: 'a|b' }, 0.14 * 0.4],
  ['at most five elements', cluster({ location: 'a|b|c|d|e|f|g' }), { location: 'a|b|c|d|e|f' }, 0.14],
  [
    'everything',
    cluster({ cidrs: ['10.0.0.0/8'], hostnames: ['n'], idc: 'i', location: 'l' }, true),
    { ip: '10.0.0.1', hostname: 'n', idc: 'i', location: 'l' },
    1,
  ],
];

for (const [name, candidate, daemon, expected] of vectors) {
  test(`score: ${name}`, () => {
    assert.ok(Math.abs(score(candidate, { ...nobody, ...daemon }) - expected) < 1e-9);
  });
}

test('clusters come best first, ties by id, none left out', () => {
  const found = weightedSearcher().search(
    [cluster({}, false, 3), cluster({}, false, 2), cluster({ idc: 'i' }, false, 9)],
    { ...nobody, idc: 'i' },
  );
  assert.deepEqual(
    found.map(({ id }) => id),
    [9, 2, 3],
  );
});

test('the weights of 2.1.28: more for network, data centre and location, none for host names', () => {
  const daemon = { ip: '10.0.0.1', hostname: 'n', idc: 'i', location: 'a|b' };
  const scored = (scopes: Partial<SearchCandidate['scopes']>, isDefault = false): number =>
    Math.round(score(cluster(scopes, isDefault), daemon, 'v2.1.28') * 1e6) / 1e6;
  assert.equal(scored({ cidrs: ['10.0.0.0/8'] }), 0.4);
  assert.equal(scored({ hostnames: ['n'] }), 0);
  assert.equal(scored({ idc: 'i' }), 0.35);
  assert.equal(scored({ location: 'a|b' }), 0.24);
  assert.equal(scored({}, true), 0.01);
});

test('a searcher from a plug-in orders clusters; one that fails or is not trusted does no harm', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'searcher-'));
  try {
    const path = join(directory, 'searcher.mjs');
    await assert.rejects(loadSearcher(directory, silentLogger), { code: 'CONFIG_INVALID' });
    await writeFile(
      path,
      `export const createSearcher = () => ({
         search: (candidates, { hostname }) => {
           if (hostname === 'trouble') throw new Error('no idea');
           return [{ id: 99 }, ...candidates.sort((a, b) => b.id - a.id)];
         },
       });`,
    );
    const candidates = [cluster({}, false, 1), cluster({}, false, 3), cluster({}, false, 2)];
    const searcher = await loadSearcher(directory, silentLogger);
    const found = (hostname: string): number[] =>
      searcher.search(candidates, { ...nobody, hostname }).map(({ id }) => id);
    assert.deepEqual(found('n'), [3, 2, 1]);
    assert.deepEqual(found('trouble'), [1, 3, 2]);
    await chmod(path, 0o666);
    await assert.rejects(loadSearcher(directory, silentLogger), { code: 'PERMISSION_DENIED' });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
