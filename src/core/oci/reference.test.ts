import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  isRepositoryName,
  isTagName,
  manifestUrlOfImage,
  parseRegistryPlace,
  parseRepositoryPattern,
} from './reference.ts';

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

test('a registry has one name, however it is written', () => {
  for (const [host, registry] of [
    ['A.Example', 'https://a.example'],
    ['a.example:443', 'https://a.example'],
    ['https://a.example:0443', 'https://a.example'],
    ['http://A.example:80', 'http://a.example'],
    ['a.example:5000', 'https://a.example:5000'],
    ['127.1', 'https://127.0.0.1'],
    ['LOCALHOST:5000', 'http://localhost:5000'],
    ['[0:0::0:1]:5000', 'https://[::1]:5000'],
    ['Docker.io', 'https://registry-1.docker.io'],
    ['https://index.docker.io:443', 'https://registry-1.docker.io'],
  ] as const) {
    assert.equal(parseRepositoryPattern(`${host}/team/*`)?.registry, registry, host);
    assert.equal(parseRegistryPlace(`${host}/team`)?.registry, registry, host);
  }
  for (const host of ['a.example.', 'a.example:99999', 'user@a.example', 'a..example', 'word'])
    assert.equal(parseRepositoryPattern(`${host}/team/*`) ?? parseRegistryPlace(`${host}/team`), undefined, host);
  assert.equal(manifestUrlOfImage('Index.Docker.io/nginx'), manifestUrlOfImage('nginx'));
});
