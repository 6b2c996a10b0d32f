import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sharedRequest, type AskedFor, type DependsOn } from './shared-request.ts';

const base: AskedFor = { kind: 'a', url: new URL('https://origin/x?page=1'), header: {}, dependsOn: 'request' };
const keyWith = (header: Record<string, string>, dependsOn: DependsOn): string =>
  sharedRequest({ ...base, header, dependsOn }).key;

test('a request is another one by its kind, method, URL, page, content and caller', () => {
  const others: Partial<AskedFor>[] = [
    { kind: 'b' },
    { method: 'HEAD' },
    { url: new URL('https://origin/y?page=1') },
    { url: new URL('https://origin/x?page=2') },
    { content: ['digest'] },
    { content: ['digest'], url: new URL('https://origin/x?token=1') },
    { more: ['more'] },
    { header: { authorization: 'Bearer a' } },
    { header: { 'x-of-somebody': 'a' } },
  ];
  for (const dependsOn of ['rights', 'object', 'answer', 'request'] as const) {
    const keys = [base, ...others.map((other) => ({ ...base, ...other }))].map(
      (asked) => sharedRequest({ ...asked, dependsOn }).key,
    );
    assert.equal(new Set(keys).size, keys.length, dependsOn);
  }
});

test('which fields of a request count, besides those of its caller', () => {
  const counting = (dependsOn: DependsOn): string[] =>
    ['range', 'if-none-match', 'accept', 'accept-encoding', 'user-agent', 'via'].filter(
      (name) => keyWith({ [name]: 'a' }, dependsOn) !== keyWith({ [name]: 'b' }, dependsOn),
    );
  assert.deepEqual(counting('rights'), []);
  assert.deepEqual(counting('object'), ['accept', 'accept-encoding', 'user-agent']);
  assert.deepEqual(counting('answer'), ['range', 'if-none-match', 'accept', 'accept-encoding']);
  assert.deepEqual(counting('request'), ['range', 'if-none-match', 'accept', 'accept-encoding', 'user-agent', 'via']);
});

test('the order of fields does not count, and no value can be taken for two', () => {
  const [one, other] = [
    { accept: 'a', range: 'b' },
    { range: 'b', accept: 'a' },
  ];
  assert.equal(keyWith(one, 'request'), keyWith(other, 'request'));
  const split = (more: string[]): string => sharedRequest({ ...base, more }).key;
  assert.notEqual(split(['a', 'b']), split(['a\nb']));
});
