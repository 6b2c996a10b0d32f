import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Entry } from './manifest.ts';
import { requireTree } from './tree.ts';

const file = (path: string): Entry => ({ kind: 'file', path, mode: 0o644, lengthBytes: 0, sha256: '', runs: [] });
const directory = (path: string): Entry => ({ kind: 'directory', path, mode: 0o755 });
const link = (path: string, target: string): Entry => ({ kind: 'link', path, target });

test('files, directories and links that stay inside are a directory', () => {
  const trees: Entry[][] = [
    [],
    [file('a'), directory('b'), file('b/c'), link('b/d', 'c'), link('e', 'b/../a'), link('f', 'nowhere/yet')],
    [directory('a'), directory('a/b'), link('a/b/up', '../..'), link('root', '.'), file('...'), file('a b\n')],
    // The kernel resolves a link relative to the target of the first link, not relative to the link's place.
    [directory('x'), directory('x/y'), link('deep', 'x/y'), link('in', 'deep/../../x')],
  ];
  for (const entries of trees) requireTree(entries);
});

test('whatever could lead out of it is refused', () => {
  const trees: Record<string, Entry[]> = {
    'no name': [file('')],
    'the directory above': [directory('..')],
    'a path through it': [directory('a'), file('a/../../b')],
    'a dot': [file('./a')],
    absolute: [file('/etc/passwd')],
    'a zero byte': [file('a\0b')],
    'a long name': [file('a'.repeat(256))],
    'no directory': [file('a/b')],
    'a directory that comes later': [file('a/b'), directory('a')],
    'a file as a directory': [file('a'), file('a/b')],
    'through a link': [link('a', '.'), file('a/b')],
    twice: [file('a'), file('a')],
    'a link out': [link('a', '../x')],
    'an absolute link': [link('a', '/etc')],
    'an empty link': [link('a', '')],
    'a link by way of another': [link('s', '.'), link('a', 's/../x')],
    'a link that goes back from where another leads to': [directory('x'), link('x/up', '..'), link('a', 'x/up/../y')],
    'a circle': [link('a', 'b'), link('b', 'a')],
  };
  for (const [what, entries] of Object.entries(trees))
    assert.throws(() => requireTree(entries), { code: 'INVALID_ARGUMENT' }, what);
});
