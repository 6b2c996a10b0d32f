/** Clients of S3, by the proxy and at the door. */
import { cp, mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeRandomFile } from '../../../test/support/random-file.ts';
import { execute, fileBytes, s3Env, type Client, type ClientLab } from './lab.ts';

const ways = ['by proxy', 'at the S3 door'] as const;
type Way = (typeof ways)[number];

export function objectClients(lab: ClientLab): Client[] {
  return ways.flatMap((way) => [
    onObject(lab, `boto3, parts of 8 MiB, ${way}`, 'python3', way, (endpoint, key, target) => [
      '-c',
      'import boto3, sys; from boto3.s3.transfer import TransferConfig as T; from botocore.config import Config as C\n' +
        's = boto3.client("s3", endpoint_url=sys.argv[1], config=C(s3={"addressing_style": "path"}))\n' +
        's.download_file("models", sys.argv[2], sys.argv[3], Config=T(multipart_chunksize=8*2**20, max_concurrency=8))\n' +
        'try: s.get_object(Bucket="models", Key="none"); sys.exit("no error")\n' +
        'except s.exceptions.NoSuchKey: pass',
      endpoint,
      key,
      target,
    ]),
    onObject(lab, `s5cmd, parts of 8 MiB, ${way}`, 's5cmd', way, (endpoint, key, target) => [
      '--endpoint-url',
      endpoint,
      'cp',
      '--part-size',
      '8',
      `s3://models/${key}`,
      target,
    ]),
    juicefs(lab, way),
  ]);
}

function onObject(
  lab: ClientLab,
  name: string,
  program: string,
  way: Way,
  words: (endpoint: string, key: string, target: string) => string[],
): Client {
  return {
    name,
    program,
    relay: lab.objects,
    bytes: fileBytes,
    ...(way === 'at the S3 door' && { doors: lab.s3Doors }),
    prepare: async () => {
      const key = `object-${lab.nextNumber()}`;
      const { path, sha256 } = await makeRandomFile(lab.directory.join(key), fileBytes);
      const answer = await fetch(`${lab.objects.url}/models/${key}`, { method: 'PUT', body: await readFile(path) });
      if (!answer.ok) throw new Error(`the store answered ${answer.status}`);
      return async ({ directory: own, env, proxy }) => {
        const endpoint = way === 'by proxy' ? lab.objects.url : proxy || lab.objects.url;
        await execute(program, words(endpoint, key, join(own, 'object')), { env: { ...env, ...s3Env } });
        return { path: join(own, 'object'), sha256 };
      };
    },
  };
}

/** A file system whose blocks are objects of 4 MiB; every reader has a copy of its database, and none of the others' caches. */
function juicefs(lab: ClientLab, way: Way): Client {
  const bucketAt = (endpoint: string): string => `${endpoint}/models`;
  return {
    name: `JuiceFS, ${way}`,
    program: 'juicefs',
    relay: lab.objects,
    bytes: fileBytes,
    ...(way === 'at the S3 door' && { doors: lab.s3Doors }),
    prepare: async () => {
      const volume = `volume${lab.nextNumber()}`;
      const place = lab.directory.join(volume);
      for (const name of ['content', 'meta']) await mkdir(join(place, name), { recursive: true });
      const { sha256 } = await makeRandomFile(join(place, 'content/file'), fileBytes);
      const databaseIn = (directory: string): string => `sqlite3://${join(directory, 'meta/database')}`;
      const env = { ...process.env, ...s3Env, HOME: place, VOLUME: databaseIn(place) };
      const keys = ['--access-key', s3Env.AWS_ACCESS_KEY_ID, '--secret-key', s3Env.AWS_SECRET_ACCESS_KEY];
      const store = ['--storage', 's3', '--bucket', bucketAt(lab.objects.url), '--compress', 'none'];
      await execute('juicefs', ['format', ...store, ...keys, env.VOLUME, volume], { env });
      await execute('juicefs', ['sync', `${join(place, 'content')}/`, 'jfs://VOLUME/'], { env });
      await rm(join(place, 'content'), { recursive: true });
      return async ({ directory: own, env: given, proxy }) => {
        await cp(join(place, 'meta'), join(own, 'meta'), { recursive: true });
        const reader = { ...given, ...s3Env, VOLUME: databaseIn(own) };
        if (way !== 'by proxy' && proxy)
          await execute('juicefs', ['config', reader.VOLUME, '--bucket', bucketAt(proxy), '--yes'], { env: reader });
        await execute('juicefs', ['sync', 'jfs://VOLUME/', `${join(own, 'content')}/`], { env: reader });
        return { path: join(own, 'content/file'), sha256 };
      };
    },
  };
}
