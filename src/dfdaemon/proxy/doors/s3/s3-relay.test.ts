import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withName } from './s3-relay.ts';

test('the name of the bucket is the client’s, and nothing else of an answer changes', () => {
  const told = '<ListBucketResult><Name>stored</Name><Contents><Key>stored</Key></Contents></ListBucketResult>';
  assert.equal(
    withName(told, 'stored', 'models'),
    '<ListBucketResult><Name>models</Name><Contents><Key>stored</Key></Contents></ListBucketResult>',
  );
  const begun = '<R><Bucket>stored</Bucket><Key>a&amp;b</Key><Bucket>other</Bucket></R>';
  assert.equal(
    withName(begun, 'stored', 'models'),
    '<R><Bucket>models</Bucket><Key>a&amp;b</Key><Bucket>other</Bucket></R>',
  );
});
