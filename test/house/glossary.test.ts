/** Documents name what is in the code: the glossary of ARCHITECTURE.md once each, links where they lead. */
import assert from 'node:assert/strict';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';
import { read, repositoryFiles, withoutComments } from './repository.ts';

test('every word of the glossary stands for a name of the code', () => {
  const section =
    read('ARCHITECTURE.md')
      .split(/^## /m)
      .find((part) => part.startsWith('Glossary')) ?? '';
  const rows = [...section.matchAll(/^\| (.+?) +\| .+? \| \[`(\w+)`\]\(([^)]+)\) +\|$/gm)];
  assert.ok(rows.length > 15, `${rows.length} rows were read`);
  const problems = rows.flatMap(([, word, name, path]) =>
    new RegExp(`\\b${name}\\b`).test(withoutComments(read(path ?? ''))) ? [] : [`${word}: no ${name} in ${path}`],
  );
  assert.deepEqual(problems, []);
  const words = rows.flatMap(([, word]) => (word ?? '').split(', '));
  assert.deepEqual(
    words.filter((word, place) => words.indexOf(word) !== place),
    [],
    'a word with two meanings',
  );
});

test('every name that leads to a file stands in that file', () => {
  const problems = repositoryFiles()
    .filter((path) => path.endsWith('.md'))
    .flatMap((path) =>
      [...read(path).matchAll(/\[`([\w-]+)`\]\(([^)\s]+\.(?:tsx?|cjs|mjs))\)/g)].flatMap(([, name = '', link = '']) => {
        const file = normalize(join(dirname(path), link));
        return new RegExp(`\\b${name}\\b`).test(withoutComments(read(file))) ? [] : [`${path}: no ${name} in ${file}`];
      }),
    );
  assert.deepEqual(problems, []);
});
