import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { NetworkLoad } from './network-load.ts';

const skip = existsSync('/sys/class/net/lo/statistics/tx_bytes') ? false : 'this system does not count traffic there';

test('what an interface carries is told in bits per second', { skip }, async () => {
  const load = new NetworkLoad('127.0.0.1');
  assert.equal(await load.capacityBitsPerSec(), undefined, 'loopback has no speed');
  assert.equal(await load.traffic(), undefined);
  const bytes = 4 * 2 ** 20;
  const began = performance.now();
  const server = createServer((socket) => socket.end(Buffer.alloc(bytes))).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1').resume();
  await once(socket, 'close');
  server.close();
  let traffic = await load.traffic();
  while (!traffic) traffic = await load.traffic();
  const seconds = (performance.now() - began) / 1000;
  assert.ok(traffic.txBitsPerSec >= (bytes * 8) / (seconds + 1), JSON.stringify(traffic));
  assert.ok(traffic.rxBitsPerSec >= (bytes * 8) / (seconds + 1), JSON.stringify(traffic));
});

test('an address of no interface has neither', async () => {
  const load = new NetworkLoad('192.0.2.1');
  assert.equal(await load.capacityBitsPerSec(), undefined);
  assert.equal(await load.traffic(), undefined);
});
