import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WrittenFiles } from './written-files.ts';

const file = { path: 'f', lengthBytes: 100 };
const never = new AbortController().signal;

test('a file is whole up to its first gap, in whatever order it is written', async () => {
  const written = new WrittenFiles();
  let told: number | undefined;
  const beyond = written.beyond(file, 0, never).then((end) => (told = end));
  written.wrote('f', 60, 40);
  written.wrote('f', 20, 10);
  written.wrote('g', 0, 100);
  await new Promise(setImmediate);
  assert.equal(told, undefined);
  written.wrote('f', 0, 20);
  await beyond;
  assert.equal(told, 30);
  written.wrote('f', 30, 30);
  assert.equal(await written.beyond(file, 30, never), 100);
});

test('when nothing more is written, the rest is read as it is', async () => {
  const written = new WrittenFiles();
  written.wrote('f', 0, 10);
  const beyond = written.beyond(file, 10, never);
  written.done();
  assert.equal(await beyond, 100);
});

test('whoever waits hears of the end', async () => {
  const controller = new AbortController();
  const beyond = new WrittenFiles().beyond(file, 0, controller.signal);
  controller.abort(new Error('stopped'));
  await assert.rejects(beyond, /stopped/);
});
