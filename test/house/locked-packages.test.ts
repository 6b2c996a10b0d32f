/** What is installed is what was locked, and nothing that is known to be harmful. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  compareVersions,
  isHarmful,
  problemsOf,
  unprovenPackages,
  type Lock,
  type OsvRecord,
} from '../../scripts/locked-packages.ts';

const integrity = 'sha512-AAAA';
const lock: Lock = {
  packages: {
    '': {},
    console: {},
    'node_modules/left': { version: '1.2.3', integrity },
    'node_modules/left/node_modules/@of/right': { version: '2.0.0-rc.1', integrity },
    'node_modules/bare': { version: '1.0.0' },
    'node_modules/busy': { version: '1.0.0', integrity, hasInstallScript: true },
    'node_modules/console': { link: true },
  },
};

const record = (id: string, name: string, events: object[], more: Partial<OsvRecord> = {}): OsvRecord => ({
  id,
  summary: 'harm',
  affected: [{ package: { ecosystem: 'npm', name }, ranges: [{ type: 'SEMVER', events }] }],
  ...more,
});

test('what has no digest, or runs something without being named, is found', () => {
  assert.deepEqual(
    unprovenPackages(lock, {}).map((text) => text.split(' ')[0]),
    ['bare', 'busy'],
  );
  assert.equal(unprovenPackages(lock, { busy: false }).length, 1);
});

test('a record is about the versions between those where it was introduced and fixed', () => {
  const found = (...events: object[]): boolean =>
    problemsOf(lock, { taken: '', accepted: {}, records: [record('A', 'left', events)] }).length > 0;
  assert.ok(found({ introduced: '0' }));
  assert.ok(found({ introduced: '1.0.0' }, { fixed: '1.2.4' }));
  assert.ok(found({ introduced: '0' }, { last_affected: '1.2.3' }));
  assert.ok(found({ introduced: '0' }, { fixed: '0.9.0' }, { introduced: '1.2.0' }, { fixed: '2.0.0' }));
  assert.ok(!found({ introduced: '0' }, { fixed: '1.2.3' }));
  assert.ok(!found({ introduced: '1.2.4' }));
  assert.ok(!found({ introduced: '0' }, { fixed: '0.9.0' }, { introduced: '2.0.0' }));
});

test('records that were withdrawn, are of others, or are accepted, count for nothing', () => {
  const names = new Set(['left']);
  const all = [{ introduced: '0' }];
  assert.ok(isHarmful(record('A', 'left', all), names));
  assert.ok(!isHarmful(record('A', 'left', all, { withdrawn: '2026-01-01T00:00:00Z' }), names));
  assert.ok(!isHarmful(record('A', 'other', all), names));
  const records = [record('A', 'left', all), record('B', '@of/right', all)];
  const problems = problemsOf(lock, { taken: '', accepted: { A: 'never called' }, records });
  assert.deepEqual(problems, ['@of/right@2.0.0-rc.1: B harm']);
});

test('versions are ordered as SemVer orders them', () => {
  const ordered = ['0.9.9', '1.0.0-alpha', '1.0.0-alpha.1', '1.0.0-alpha.beta', '1.0.0-2', '1.0.0', '1.0.10', '1.2.0'];
  const right = ['0.9.9', '1.0.0-2', '1.0.0-alpha', '1.0.0-alpha.1', '1.0.0-alpha.beta', '1.0.0', '1.0.10', '1.2.0'];
  assert.deepEqual(ordered.toSorted(compareVersions), right);
  assert.equal(compareVersions('1.0.0+a', 'v1.0.0'), 0);
});
