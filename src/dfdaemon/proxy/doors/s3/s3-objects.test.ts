import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { silentLogger } from '../../../../core/process/logger.ts';
import type { ObjectKeys, ObjectNews, ObjectNewsListener } from '../../../cluster/object-news.ts';
import { S3Buckets } from './s3-buckets.ts';
import { s3DoorConfig } from './s3-config.ts';

let tag = 'first';
let questions = 0;
let onQuestion = (): void => undefined;
const store = createServer((_request, response) => {
  questions += 1;
  const etag = `"${tag}"`;
  onQuestion();
  response.writeHead(200, { etag, 'content-length': 10 }).end();
});
before(() => new Promise<void>((resolve) => store.listen(0, '127.0.0.1', resolve)));
after(() => store.close());

/** Records the news that a node gets from others and sends to them. */
class Told {
  listener: ObjectNewsListener | undefined;
  isThere = true;
  watches = true;
  readonly changes: ObjectKeys[] = [];
  listen(listener: ObjectNewsListener): void {
    this.listener = listener;
  }
  watch(): Promise<number> {
    return this.watches ? Promise.resolve(0) : Promise.reject(new Error('nobody tells'));
  }
  letGo(): void {}
  changed(keys: ObjectKeys): Promise<void> {
    this.changes.push(keys);
    return Promise.resolve();
  }
}

function objectsOf(told: Told) {
  const endpoint = `http://127.0.0.1:${(store.address() as AddressInfo).port}`;
  const config = s3DoorConfig.parse({ buckets: [{ name: 'models', endpoint, ttl: '1h' }] });
  const news = told as unknown as ObjectNews;
  const buckets = new S3Buckets({ config, egress: {}, trust: {}, news, logger: silentLogger });
  const bucket = buckets.stores.get('models') ?? assert.fail('no such bucket');
  const ask = async (key = 'a'): Promise<string> => {
    const word = await buckets.objects.ask(bucket, { key });
    return word.kind === 'object' ? word.object.validator : assert.fail(word.kind);
  };
  return { buckets, bucket, objects: buckets.objects, ask };
}

test('what a store said counts until another node has changed the object, or any of its bucket', async () => {
  const told = new Told();
  const { buckets, bucket, ask } = objectsOf(told);
  using _buckets = buckets;
  const keys = bucket.keysOf('a');
  tag = 'first';
  assert.equal(await ask(), '"first"');
  tag = 'second';
  assert.equal(await ask(), '"first"');
  told.listener?.changed(bucket.keysOf('b').object);
  assert.equal(await ask(), '"first"', 'another object has changed');
  told.listener?.changed(keys.object);
  assert.equal(await ask(), '"second"');
  tag = 'third';
  told.listener?.changed(keys.bucket);
  assert.equal(await ask(), '"third"');
});

test('an answer that was on its way when the object changed is not remembered', async () => {
  const told = new Told();
  const { buckets, bucket, ask } = objectsOf(told);
  using _buckets = buckets;
  tag = 'before';
  onQuestion = () => {
    tag = 'after';
    told.listener?.changed(bucket.keysOf('a').object);
  };
  assert.equal(await ask(), '"before"', 'asked before it was changed');
  onQuestion = () => undefined;
  assert.equal(await ask(), '"after"');
});

test('nothing is relied on where nobody tells, or whoever told is gone', async () => {
  const told = new Told();
  const { buckets, ask } = objectsOf(told);
  using _buckets = buckets;
  told.watches = false;
  const before = questions;
  for (const name of ['one', 'two']) {
    tag = name;
    assert.equal(await ask(), `"${name}"`);
  }
  told.watches = true;
  assert.equal(await ask(), '"two"');
  tag = 'three';
  assert.equal(await ask(), '"two"');
  for (const key of ['b', 'c']) await ask(key);
  told.listener?.lost();
  for (const key of ['a', 'b', 'c']) assert.equal(await ask(key), '"three"');
  assert.equal(questions - before, 8);
});

test('a change of this node is told by the key of the object, of several by that of the bucket', async () => {
  const told = new Told();
  const { buckets, bucket, objects, ask } = objectsOf(told);
  using _buckets = buckets;
  tag = 'old';
  await ask();
  tag = 'new';
  await objects.changed(bucket, 'a');
  assert.equal(await ask(), '"new"');
  await objects.changed(bucket, undefined);
  const keys = bucket.keysOf('a');
  assert.deepEqual(told.changes, [keys, { object: keys.bucket, bucket: keys.bucket }]);
});
