/** The bugs that bench/swarm/plant.ts plants still have a place in the code, and a line in the document about them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plantedBugs } from '../../bench/swarm/planted-bugs.ts';
import { read } from './repository.ts';

test('every planted bug changes one place of the code, and stands in the document', () => {
  const document = read('docs/internals/planted-bugs.md');
  const problems = plantedBugs.flatMap(({ name, file, find }) => [
    ...(read(`src/swarm/peer/${file}`).split(find).length === 2 ? [] : [`${name}: not one place in ${file}`]),
    ...(document.includes(name) ? [] : [`${name}: not in the document`]),
  ]);
  assert.deepEqual(problems, []);
});
