/** The glossary of ARCHITECTURE.md names what is in the code, once each. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { read, withoutComments } from './repository.ts';

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
