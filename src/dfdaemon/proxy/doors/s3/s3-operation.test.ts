import assert from 'node:assert/strict';
import { test } from 'node:test';
import { s3Operation } from './s3-operation.ts';

/** The operation that a request is recognised as, or the code of its refusal. @param place `bucket/key?query` */
function taken(method: string, place: string): string {
  const [path = '', query = ''] = place.split('?', 2);
  const [bucket = '', ...key] = path.split('/');
  const parameters = new Map(new URLSearchParams(query));
  const target = { bucket, key: key.join('/'), query: parameters, signing: new Map(), url: new URL('http://door/') };
  try {
    const operation = s3Operation(method, target);
    return 'prefix' in operation ? `${operation.kind} ${operation.prefix}` : operation.kind;
  } catch (error) {
    return (error as { code: string }).code;
  }
}

test('reads are content, or questions about keys that begin with what the caller must have a right to', () => {
  assert.equal(taken('GET', ''), 'buckets');
  assert.equal(taken('HEAD', 'b/'), 'bucket');
  assert.equal(taken('GET', 'b/?location'), 'bucket');
  assert.equal(taken('GET', 'b/'), 'question ');
  assert.equal(taken('GET', 'b/?list-type=2&prefix=a%2Fb&delimiter=%2F'), 'question a/b');
  assert.equal(taken('GET', 'b/?versions&prefix=a'), 'question a');
  assert.equal(taken('GET', 'b/k?partNumber=1&x-id=GetObject&response-expires=0'), 'object');
  assert.equal(taken('HEAD', 'b/k?versionId=1'), 'object');
  assert.equal(taken('GET', 'b/k?attributes'), 'question k');
  assert.equal(taken('GET', 'b/k?uploadId=u&max-parts=2'), 'question k');
});

test('writes name the key they change, or are for those who may change all', () => {
  assert.equal(taken('PUT', 'b/k'), 'write k');
  assert.equal(taken('PUT', 'b/k?partNumber=1&uploadId=u'), 'write k');
  assert.equal(taken('POST', 'b/k?uploads'), 'write k');
  assert.equal(taken('POST', 'b/k?uploadId=u'), 'write k');
  assert.equal(taken('DELETE', 'b/k?versionId=1'), 'write k');
  assert.equal(taken('POST', 'b/?delete'), 'write undefined');
});

test('what gives rights, or is about the bucket itself, is done at the store', () => {
  for (const place of [
    'b/?acl',
    'b/?policy',
    'b/?lifecycle',
    'b/k?acl',
    'b/k?torrent',
    'b/k?partNumber=1&acl',
    'b/?location&acl',
  ])
    assert.equal(taken('GET', place), 'NotImplemented', place);
  for (const place of ['b/?policy', 'b/k?acl', 'b/k?retention', 'b/k?x-amz-acl=public-read'])
    assert.equal(taken('PUT', place), 'NotImplemented', place);
  for (const method of ['PUT', 'DELETE', 'POST']) assert.equal(taken(method, 'b/'), 'MethodNotAllowed', method);
  assert.equal(taken('POST', 'b/k?select&select-type=2'), 'NotImplemented');
  assert.equal(taken('OPTIONS', 'b/k'), 'NotImplemented');
});
