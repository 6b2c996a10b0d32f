/**
 * Reading an origin: our HTTP client against undici and node:http, in one run, from the same nginx.
 *
 *     node bench/source/http-client.ts [MiB=1024] [rounds=3]
 *
 * Every receiver writes what it gets to the same file by position. Medians; processor seconds are of this process alone.
 */
import { closeSync, openSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { request } from 'undici';
import { silentLogger } from '../../src/core/process/logger.ts';
import { Sources } from '../../src/dfdaemon/source/sources.ts';
import { NginxOrigin } from '../../test/support/nginx-origin.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';

const [mebibytes = 1024, rounds = 3] = process.argv.slice(2).map(Number);
const bytes = mebibytes * 1024 * 1024;
const directory = await temporaryDirectory();
const nginx = await NginxOrigin.start({ directory: directory.path });
const origin = join(nginx.root, 'content');
writeFileSync(origin, '');
truncateSync(origin, bytes);
const url = `${nginx.url}/content`;
const fd = openSync(join(nginx.root, 'copy'), 'w');
const sources = new Sources({ logger: silentLogger });

let position = 0;
const write = (block: Uint8Array): void => {
  position += writeSync(fd, block, 0, block.length, position);
};

const readers: Readonly<Record<string, () => Promise<void>>> = {
  'our client': async () => {
    const body = await sources.open({ url, header: {}, signal: AbortSignal.timeout(60_000) });
    await body.readTo(write);
  },
  'undici.request': async () => {
    const { body } = await request(url);
    for await (const block of body) write(block as Uint8Array);
  },
  'node:http': async () => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    get(url, (response) => response.on('data', write).on('end', resolve).on('error', reject)).on('error', reject);
    await promise;
  },
};

const results = new Map<string, { rate: number; cpu: number }[]>();
for (let round = 0; round <= rounds; round += 1) {
  for (const [name, read] of Object.entries(readers)) {
    position = 0;
    const [started, cpuBefore] = [performance.now(), process.cpuUsage()];
    await read();
    const seconds = (performance.now() - started) / 1000;
    const { user, system } = process.cpuUsage(cpuBefore);
    if (position !== bytes) throw new Error(`${name} read ${position} of ${bytes} bytes`);
    const gibibytes = bytes / 1024 ** 3;
    const list = results.get(name) ?? [];
    if (round > 0) list.push({ rate: gibibytes / seconds, cpu: (user + system) / 1e6 / gibibytes }); // the first warms up
    results.set(name, list);
  }
}
const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
for (const [name, list] of results) {
  const [rate, cpu] = [median(list.map((entry) => entry.rate)), median(list.map((entry) => entry.cpu))];
  console.log(`${name.padEnd(16)} ${rate.toFixed(2)} GiB/s  ${cpu.toFixed(2)} CPU s/GiB`);
}
closeSync(fd);
await sources[Symbol.asyncDispose]();
await nginx[Symbol.asyncDispose]();
await directory[Symbol.asyncDispose]();
