/** Which texts a task id may be computed from. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { taskId } from './ids.ts';
import {
  bundleNamedBy,
  isReserved,
  isSameContent,
  misnomer,
  textForBundle,
  textForUrl,
  type NamedContent,
} from './task-name.ts';

const url = 'https://origin.example/a.bin?part=1';
const named = (contentForCalculatingTaskId: string | undefined, more: Partial<NamedContent> = {}): NamedContent => ({
  url,
  filteredQueryParams: [],
  contentForCalculatingTaskId,
  ...more,
});

test('a text of ours is good for its URL only, however that is signed', () => {
  const text = textForUrl(url, ['session'], 'rest');
  assert.ok(isReserved(text));
  const signed = `${url}&session=7`;
  const id = taskId({ url, contentForCalculatingTaskId: text });
  assert.equal(misnomer(id, named(text, { url: signed, filteredQueryParams: ['session'] })), undefined);
  for (const wrong of ['https://origin.example/b.bin?part=1', 'https://evil.example/a.bin?part=1', signed])
    assert.match(misnomer(id, named(text, { url: wrong })) ?? '', /another URL/, wrong);
});

test('a text of a bundle is good for its directory, and says which list it was made of', () => {
  const listDigest = 'a1'.repeat(32);
  const text = textForBundle(url, [], { listDigest, rest: 'rest' });
  assert.ok(isReserved(text));
  assert.equal(bundleNamedBy(text), listDigest);
  assert.equal(misnomer(taskId({ url, contentForCalculatingTaskId: text }), named(text)), undefined);
  assert.match(misnomer(undefined, named(text, { url: 'https://evil.example/' })) ?? '', /another URL/);
  for (const other of [textForUrl(url, [], 'rest'), `bundle:${listDigest}:x`, `x${text}`, ''])
    assert.equal(bundleNamedBy(other), undefined, other);
});

test('a URL with a password is the same after it is told without', () => {
  const withPassword = 'https://me:secret@origin.example/a.bin?token=t';
  const text = textForUrl(withPassword, [], 'rest');
  assert.equal(
    misnomer(undefined, named(text, { url: 'https://***@origin.example/a.bin?token=***' })),
    undefined,
    'as it is told to schedulers',
  );
});

test('no text is what an id of a URL is computed from, nor belongs to another id', () => {
  assert.match(misnomer(undefined, named(`${url}STANDARD`)) ?? '', /that of a URL/);
  assert.match(misnomer('a'.repeat(64), named('mine')) ?? '', /not computed/);
  assert.equal(misnomer(taskId({ url, contentForCalculatingTaskId: 'mine' }), named('mine')), undefined);
  assert.equal(misnomer('a'.repeat(64), named(undefined)), undefined, 'the id of a URL is computed by who fetches it');
});

test('content under one id is the same when nothing that decides its bytes differs', () => {
  const asked = (more: Partial<NamedContent>): NamedContent => named(undefined, more);
  assert.ok(isSameContent(asked({}), asked({})));
  assert.ok(
    !isSameContent(asked({ url: 'https://origin.example/a', tag: 'b' }), asked({ url: 'https://origin.example/ab' })),
  );
  assert.ok(!isSameContent(asked({ tag: 'a', application: 'bc' }), asked({ tag: 'ab', application: 'c' })));
  assert.ok(!isSameContent(named('mine'), named('mine', { url: 'https://evil.example/' })));
  assert.ok(isSameContent(named('mine'), named('mine', { url: 'https://mirror.example/', digest: 'sha256:0' })));
  assert.ok(isSameContent(asked({}), asked({ url: `${url}&session=7`, filteredQueryParams: ['session'] })));
});
