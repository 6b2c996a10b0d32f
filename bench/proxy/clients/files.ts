/** Programs that bring one file. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execute, fileBytes, mebibyte, type Client, type ClientLab } from './lab.ts';
import { ranged } from './programs.ts';

export function fileClients(lab: ClientLab): Client[] {
  return [
    onFile(lab, 'aria2c -x16', 'aria2c', (url, target) => ['-q', '-x16', '-s16', '-k1M', '-d', '/', '-o', target, url]),
    onFile(lab, 'wget -c, half is there', 'wget', (url, target) => ['-q', '-c', '-O', target, url], { half: true }),
    onFile(lab, 'curl', 'curl', (url, target) => ['-sSf', '-o', target, url]),
    ranges(lab),
    onFile(lab, 'rclone copyurl', 'rclone', (url, target) => ['copyurl', url, target]),
  ];
}

function onFile(
  lab: ClientLab,
  name: string,
  program: string,
  words: (url: string, target: string) => string[],
  { half = false } = {},
): Client {
  return {
    name,
    program,
    relay: lab.files,
    bytes: half ? fileBytes / 2 : fileBytes,
    prepare: async () => {
      const { url, path, sha256 } = await lab.publish(program);
      return async ({ directory: own, env }) => {
        const target = join(own, 'file');
        if (half) await writeFile(target, (await readFile(path)).subarray(0, fileBytes / 2));
        await execute(program, words(url, target), { env });
        return { path: target, sha256 };
      };
    },
  };
}

/** As container runtimes bring large layers: the first without an end, and broken off where the second begins. */
function ranges(lab: ClientLab): Client {
  return {
    name: '8 ranges of 8 MiB, the first 0-',
    program: 'curl',
    relay: lab.files,
    bytes: fileBytes,
    prepare: async () => {
      const { url, sha256 } = await lab.publish('ranges');
      return async ({ directory: own, proxy }) => {
        const part = 8 * mebibyte;
        const all = Array.from({ length: 8 }, (_, at) => (at === 0 ? '0-' : `${at * part}-${(at + 1) * part - 1}`));
        const parts = all.map((range, at) => ranged(url, { range, proxy, output: join(own, String(at)), part }));
        await Promise.all(parts);
        const blocks = await Promise.all(all.map((_, at) => readFile(join(own, String(at)))));
        await writeFile(join(own, 'all'), Buffer.concat(blocks));
        return { path: join(own, 'all'), sha256 };
      };
    },
  };
}
