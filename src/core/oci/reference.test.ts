import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isRepositoryName, isTagName, parseRepositoryPattern } from './reference.ts';

test('patterns of repositories: a registry, and something that a name can match', () => {
  for (const name of ['*', 'team/*', 'team/a*', '*/app', 'a-*', 'a__*'])
    assert.deepEqual(parseRepositoryPattern(`a.example/${name}`), { registry: 'https://a.example', name });
  for (const name of ['..', '../*', 'a/../b', 'a/./b', 'a//b', 'a..*', '*/', '/a', `${'a'.repeat(256)}`])
    assert.equal(parseRepositoryPattern(`a.example/${name}`), undefined, name);
});

test('names of repositories and of tags', () => {
  for (const name of ['a', 'team/app', 'a.b-c_d/e__f']) assert.ok(isRepositoryName(name), name);
  for (const name of ['', 'A', '..', 'a/../b', 'a/', 'a?b', 'a\n', 'a'.repeat(256)])
    assert.ok(!isRepositoryName(name), name);
  for (const name of ['v1', '_', 'A.b-c', 'a'.repeat(128)]) assert.ok(isTagName(name), name);
  for (const name of ['', '.a', '-a', 'a/b', '../a', 'a\n', 'a'.repeat(129)]) assert.ok(!isTagName(name), name);
});
