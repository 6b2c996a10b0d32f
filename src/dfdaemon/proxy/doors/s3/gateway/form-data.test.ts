import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { boundaryOf, FormData as Reader } from './form-data.ts';

/** The body in the form that Node's own client sends. */
async function written(form: FormData): Promise<{ readonly body: Buffer; readonly type: string }> {
  const response = new Response(form);
  return { body: Buffer.from(await response.arrayBuffer()), type: response.headers.get('content-type') ?? '' };
}

async function read(body: Buffer, type: string, step: number) {
  const blocks: Buffer[] = [];
  let ends = 0;
  let contentType: string | undefined;
  const open = (told: string | undefined) => {
    contentType = told;
    return {
      write: (block: Buffer) => Promise.resolve(void blocks.push(Buffer.from(block))),
      end: () => Promise.resolve(void (ends += 1)),
    };
  };
  const form = new Reader({ boundary: boundaryOf(type), file: { name: 'file', open } });
  for (let at = 0; at < body.length; at += step) await form.write(body.subarray(at, at + step));
  form.requireFile();
  return { content: Buffer.concat(blocks), ends, contentType, fields: Object.fromEntries(form.fields) };
}

test('fields and a file come out as they were put in, however the form is cut on the way', async () => {
  const content = Buffer.concat([randomBytes(5000), Buffer.from('\r\n--\r\n\r\n------'), randomBytes(300)]);
  const form = new FormData();
  form.set('mode', '1');
  form.set('filter', 'a&b=é');
  form.set('file', new Blob([content], { type: 'image/png' }), 'x.png');
  form.set('maxReplicas', '3');
  const { body, type } = await written(form);
  for (const step of [1, 2, 7, 64, 1000, body.length]) {
    const found = await read(body, type, step);
    assert.ok(found.content.equals(content), `steps of ${step}`);
    assert.deepEqual(found.fields, { mode: '1', filter: 'a&b=é', maxReplicas: '3' });
    assert.deepEqual([found.ends, found.contentType], [1, 'image/png']);
  }
  const empty = new FormData();
  empty.set('file', new Blob([]), 'empty');
  const none = await written(empty);
  assert.equal((await read(none.body, none.type, 10)).content.length, 0);
});

test('a form that is cut off, has no file, two, or no names is refused', async () => {
  const form = new FormData();
  form.set('file', new Blob(['content']), 'x');
  const { body, type } = await written(form);
  const refused = { code: 'INVALID_ARGUMENT' };
  await assert.rejects(read(body.subarray(0, -6), type, 5), refused);
  const fields = new FormData();
  fields.set('mode', '1');
  const without = await written(fields);
  await assert.rejects(read(without.body, without.type, 5), refused);
  form.append('file', new Blob(['other']), 'y');
  const two = await written(form);
  await assert.rejects(read(two.body, two.type, 50), refused);
  const long = new FormData();
  long.set('mode', 'x'.repeat(100_000));
  const big = await written(long);
  await assert.rejects(read(big.body, big.type, 1000), refused);
  await assert.rejects(read(Buffer.from('--b\r\n\r\n\r\nx\r\n--b--'), 'multipart/form-data; boundary=b', 3), refused);
  for (const bad of [undefined, 'text/plain', 'multipart/form-data']) assert.throws(() => boundaryOf(bad), refused);
});
