import assert from 'node:assert/strict';
import { test } from 'node:test';
import { smallestWriteBytes, writeBlockBytes } from './limits.ts';
import { writePartFor } from './write-part.ts';

test('memory without long free runs is written in small parts', () => {
  const fragmented = `Node 0, zone      DMA      0      0      0      0      0      0      0      0      1      1      3
Node 0, zone    DMA32   5524   5178   4474   3738   2886   2007   1088      0      0      0      0
Node 0, zone   Normal 249378 117973  45304  36632  14462   4547   1327      4      3      0      0
`;
  assert.equal(writePartFor(fragmented), smallestWriteBytes);
});

test('runs that one download would use up are left alone while there are shorter ones', () => {
  const some = `Node 0, zone   Normal   5036  28639  39705  24609  21008  10193   4787   2472   1245     28      3\n`;
  assert.equal(writePartFor(some), writeBlockBytes / 2);
});

test('memory with many of them is written in whole blocks', () => {
  const whole = `Node 0, zone   Normal  11079   9087  10015  27627  19318   9713   4587   3393   1597    832    505\n`;
  assert.equal(writePartFor(whole), writeBlockBytes);
});

test('where nobody tells, blocks are whole', () => {
  assert.equal(writePartFor(undefined), writeBlockBytes);
});
