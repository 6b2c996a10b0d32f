/**
 * The origin as a process of its own: files below a directory, at a rate per connection, with validators and ranges. Every answer's
 * bytes are added to a file that the bench reads, so that what a stopped process has sent is counted, too.
 *   node origin-process.ts DIRECTORY ADDRESS BYTES_PER_SEC
 */
import { closeSync, openSync, readSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const [directory = '', address = '', rate = '0'] = process.argv.slice(2);
const turnMs = 10;
const bytesPerMs = Number(rate) / 1000;
const mostTurnBytes = 2 ** 20;
let sentBytes = 0;

const server = createServer((request, response) => void answer(request, response).catch(() => response.destroy()));
server.listen(0, address, () => {
  const { port } = server.address() as AddressInfo;
  console.log(port);
});
process.stdin.on('close', () => process.exit()).resume();

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = join(directory, (request.url ?? '/').replaceAll('..', ''));
  const { size, mtimeMs, ino } = statSync(path);
  const [, from = '', to = ''] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
  const first = from === '' ? 0 : Number(from);
  const last = to === '' ? size - 1 : Math.min(size - 1, Number(to));
  response.writeHead(from === '' ? 200 : 206, {
    etag: `"${ino}-${mtimeMs}"`,
    'accept-ranges': 'bytes',
    'content-length': last - first + 1,
    ...(from !== '' && { 'content-range': `bytes ${first}-${last}/${size}` }),
  });
  if (request.method === 'HEAD') return void response.end();
  const file = openSync(path, 'r');
  const startedMs = performance.now();
  try {
    for (let at = first; at <= last && !response.destroyed;) {
      const dueBytes = Math.ceil((performance.now() - startedMs + turnMs) * bytesPerMs) - (at - first);
      const part = Buffer.alloc(Math.max(1, Math.min(dueBytes, mostTurnBytes, last + 1 - at)));
      const count = readSync(file, part, 0, part.length, at);
      if (count === 0) return void response.destroy();
      at += count;
      sentBytes += count;
      writeFileSync(join(directory, '.sent'), String(sentBytes));
      response.write(part.subarray(0, count));
      await delay(turnMs);
    }
    response.end();
  } finally {
    closeSync(file);
  }
}
