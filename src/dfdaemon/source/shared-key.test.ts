import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sharedKeyAuthorization } from './shared-key.ts';

/** The emulators' published account; Azurite accepts these signatures. */
const emulator = {
  account: 'devstoreaccount1',
  key: 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==',
};
const header = { accept: '*/*', 'x-ms-version': '2021-12-02', 'x-ms-date': 'Fri, 30 Jan 2026 10:20:30 GMT' };

test('a blob, a range of it, a listing', () => {
  const blob = new URL("http://127.0.0.1:10000/devstoreaccount1/box/a/b%20c'%2B.bin");
  const list = new URL(
    'http://127.0.0.1:10000/devstoreaccount1/box?restype=container&comp=list&prefix=a%2F&delimiter=%2F',
  );
  const signed = [
    sharedKeyAuthorization(blob, header, emulator),
    sharedKeyAuthorization(blob, { ...header, range: 'bytes=10-109' }, emulator),
    sharedKeyAuthorization(list, header, emulator),
  ];
  assert.deepEqual(signed, [
    'SharedKey devstoreaccount1:2BzYbKQI5+LjeTd9FJ+My8dOmA6lupAV3/dEuLKD4LY=',
    'SharedKey devstoreaccount1:BXmcS/oOzUMJtwxBdEJyhtFd9M8B/cSUZdqER+BvM98=',
    'SharedKey devstoreaccount1:I6BqYsDj5QLwzTYtp+h0y5G9nngNpA98smSaZoZ3nb4=',
  ]);
});
