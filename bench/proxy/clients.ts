/**
 * Clients that people use, each three times at once: directly, and by way of the proxies of three nodes with nothing stored. Prints one
 * row each: requests that reached the origin, and copies of the content that left it. Wrong bytes end the run.
 *
 * node bench/proxy/clients.ts [--only NAME] [--rate BYTES] [--verbose]      needs root (an address), nginx, docker-registry and the clients
 */
import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { LocalCluster } from '../../src/cli/up/cluster.ts';
import { parseBytes } from '../../src/core/units.ts';
import { DockerRegistry } from '../../test/proxy/support/docker-registry.ts';
import { localAddress } from '../../test/proxy/support/engines-fixture.ts';
import { makeImage, pushImage } from '../../test/proxy/support/images.ts';
import { freePort } from '../../test/support/free-port.ts';
import { LocalSwarm } from '../../test/support/local-swarm.ts';
import { NginxOrigin } from '../../test/support/nginx-origin.ts';
import { makeRandomFile } from '../../test/support/random-file.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { waitFor } from '../../test/support/wait-for.ts';
import { CountingRelay, type Count } from './counting-relay.ts';
import { isThere, ranged } from './programs.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    rate: { type: 'string', default: '0' },
    verbose: { type: 'boolean', default: false },
  },
});
const mebibyte = 2 ** 20;
const nodes = 3;
const fileBytes = 64 * mebibyte;
const execute = promisify(execFile);

/** One of the three runs at a time. */
interface Run {
  /** A directory of its own, empty. */
  readonly directory: string;
  readonly env: NodeJS.ProcessEnv;
  /** `http://…`, empty when it goes directly. */
  readonly proxy: string;
}

interface Client {
  readonly name: string;
  readonly program: string;
  readonly relay: CountingRelay;
  /** Length of what is brought. */
  readonly bytes: number;
  /** Addresses to use in place of the proxies. */
  readonly doors?: readonly string[];
  /** Makes content that nobody has seen; returns what brings it, and resolves with the path of what arrived and its digest. */
  readonly prepare: () => Promise<(run: Run) => Promise<Arrived | void>>;
}

interface Arrived {
  readonly path: string;
  readonly sha256: string;
}

await using owned = new AsyncDisposableStack();
const directory = owned.use(await temporaryDirectory('df-clients-'));
const { address } = owned.use(await localAddress());
const rateBytesPerSec = parseBytes(values.rate);
const nginx = owned.use(await NginxOrigin.start({ directory: directory.path, rateBytesPerSec }));
const files = owned.use(await CountingRelay.open(address, new URL(nginx.url).host));
const registry = owned.use(await DockerRegistry.start({ directory: directory.join('registry') }));
const images = owned.use(await CountingRelay.open(address, registry.host));
const objects = owned.use(await CountingRelay.open(address, await startStore()));
const cluster = owned.use(await LocalCluster.start({ directory: directory.path, peers: nodes }));
const proxies = cluster.peers.map(({ process: node }) => `http://${node.address('proxy')}`);
let made = 0;

const s3Env = {
  AWS_ACCESS_KEY_ID: 'key',
  AWS_SECRET_ACCESS_KEY: 'secret',
  AWS_REGION: 'us-east-1',
  AWS_DEFAULT_REGION: 'us-east-1',
  AWS_CA_BUNDLE: undefined,
};
const doors = await openDoors();

const clients: Client[] = [
  onFile('aria2c -x16', 'aria2c', (url, target) => ['-q', '-x16', '-s16', '-k1M', '-d', '/', '-o', target, url]),
  onFile('wget -c, half is there', 'wget', (url, target) => ['-q', '-c', '-O', target, url], { half: true }),
  onFile('curl', 'curl', (url, target) => ['-sSf', '-o', target, url]),
  {
    ...onFile('8 ranges of 8 MiB, the first 0-', 'curl', () => []),
    prepare: async () => {
      const { url, sha256 } = await publish('ranges');
      return async ({ directory: own, proxy }) => {
        const part = 8 * mebibyte;
        const ranges = Array.from({ length: 8 }, (_, at) => (at === 0 ? '0-' : `${at * part}-${(at + 1) * part - 1}`));
        const parts = ranges.map((range, at) => ranged(url, { range, proxy, output: join(own, String(at)), part }));
        await Promise.all(parts);
        const blocks = await Promise.all(ranges.map((_, at) => readFile(join(own, String(at)))));
        await writeFile(join(own, 'all'), Buffer.concat(blocks));
        return { path: join(own, 'all'), sha256 };
      };
    },
  },
  onFile('rclone copyurl', 'rclone', (url, target) => ['copyurl', url, target]),
  ...(['by proxy', 'at the S3 door'] as const).flatMap((way) => [
    onObject(`boto3, parts of 8 MiB, ${way}`, 'python3', way, (endpoint, key, target) => [
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
    onObject(`s5cmd, parts of 8 MiB, ${way}`, 's5cmd', way, (endpoint, key, target) => [
      '--endpoint-url',
      endpoint,
      'cp',
      '--part-size',
      '8',
      `s3://models/${key}`,
      target,
    ]),
  ]),
  {
    name: 'apt-get update, download',
    program: 'apt-get',
    relay: files,
    bytes: 8 * mebibyte,
    prepare: async () => {
      const name = `apt${(made += 1)}`;
      const root = join(nginx.root, name);
      const tree = directory.join(name);
      await mkdir(join(tree, 'DEBIAN'), { recursive: true });
      await mkdir(root, { recursive: true });
      await chmod(join(tree, 'DEBIAN'), 0o755);
      await makeRandomFile(join(tree, name), 8 * mebibyte);
      const control = `Package: tried\nVersion: ${made}\nArchitecture: all\nMaintainer: t <t@example.test>\nDescription: tried\n`;
      await writeFile(join(tree, 'DEBIAN/control'), control);
      const deb = join(root, `tried_${made}_all.deb`);
      await execute('dpkg-deb', ['-b', '-Znone', tree, deb]);
      const content = await readFile(deb);
      const sha256 = digestOf(content);
      const place = `Filename: ./tried_${made}_all.deb\nSize: ${content.length}\nSHA256: ${sha256}\n`;
      await writeFile(join(root, 'Packages'), `${control}${place}`);
      const version = made;
      return async ({ directory: own, proxy }) => {
        await mkdir(join(own, 'lists/partial'), { recursive: true });
        await mkdir(join(own, 'cache/archives/partial'), { recursive: true });
        await writeFile(join(own, 'sources'), `deb [trusted=yes] ${files.url}/${name} ./\n`);
        await writeFile(join(own, 'status'), '');
        const places = { 'Dir::State': own, 'Dir::State::Lists': join(own, 'lists'), 'Dir::Cache': join(own, 'cache') };
        const more = { 'Dir::State::status': join(own, 'status'), 'Dir::Etc::sourcelist': join(own, 'sources') };
        const last = {
          'Dir::Etc::sourceparts': '-',
          'Acquire::http::Proxy': proxy || 'false',
          'APT::Sandbox::User': 'root',
        };
        const options = Object.entries({ ...places, ...more, ...last }).flatMap(([key, value]) => [
          '-o',
          `${key}=${value}`,
        ]);
        await execute('apt-get', [...options, 'update', '-q']);
        await execute('apt-get', [...options, 'download', 'tried'], { cwd: own });
        return { path: join(own, `tried_${version}_all.deb`), sha256 };
      };
    },
  },
  {
    name: 'pip download',
    program: 'pip3',
    relay: files,
    bytes: 8 * mebibyte,
    prepare: async () => {
      const version = (made += 1);
      const file = `tried-${version}-py3-none-any.whl`;
      const root = join(nginx.root, `simple${version}/tried`);
      await mkdir(root, { recursive: true });
      const script =
        'import zipfile, os, sys\nz = zipfile.ZipFile(sys.argv[1], "w")\nv = sys.argv[2]; d = f"tried-{v}.dist-info/"\n' +
        'z.writestr("tried.bin", os.urandom(8*2**20)); z.writestr(d + "METADATA", f"Metadata-Version: 2.1\\nName: tried\\nVersion: {v}\\n")\n' +
        'z.writestr(d + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"); z.writestr(d + "RECORD", ""); z.close()';
      await execute('python3', ['-c', script, join(root, file), String(version)]);
      const sha256 = digestOf(await readFile(join(root, file)));
      await writeFile(join(root, 'index.html'), `<a href="${file}#sha256=${sha256}">${file}</a>`);
      const host = files.host.split(':')[0] ?? '';
      return async ({ directory: own, env }) => {
        const index = ['--index-url', `${files.url}/simple${version}`, '--trusted-host', host];
        await execute('pip3', ['download', '-q', '--no-deps', '--no-cache-dir', ...index, '-d', own, 'tried'], { env });
        return { path: join(own, file), sha256 };
      };
    },
  },
  {
    name: 'npm install',
    program: 'npm',
    relay: files,
    bytes: 8 * mebibyte,
    prepare: async () => {
      const version = `1.0.${(made += 1)}`;
      const name = `tried${made}`;
      const tree = directory.join(name);
      await mkdir(join(tree, 'package'), { recursive: true });
      const { sha256 } = await makeRandomFile(join(tree, 'package', name), 8 * mebibyte);
      await writeFile(join(tree, 'package/package.json'), JSON.stringify({ name, version }));
      await mkdir(join(nginx.root, 'npm'), { recursive: true });
      const tarball = join(nginx.root, `npm/${name}.tgz`);
      await execute('tar', ['-C', tree, '-czf', tarball, 'package']);
      const integrity = `sha512-${createHash('sha512')
        .update(await readFile(tarball))
        .digest('base64')}`;
      const dist = { tarball: `${files.url}/npm/${name}.tgz`, integrity };
      const document = { name, 'dist-tags': { latest: version }, versions: { [version]: { name, version, dist } } };
      await writeFile(join(nginx.root, name), JSON.stringify(document));
      return async ({ directory: own, env, proxy }) => {
        await writeFile(join(own, 'package.json'), '{"name":"own","version":"1.0.0"}');
        const options = [`--registry=${files.url}`, `--cache=${join(own, 'cache')}`, '--no-audit', '--no-fund'];
        if (proxy) options.push(`--proxy=${proxy}`);
        await execute('npm', ['install', '--silent', ...options, name], { cwd: own, env });
        return { path: join(own, 'node_modules', name, name), sha256 };
      };
    },
  },
  onImage('skopeo', 'skopeo', (reference, own) => [
    'copy',
    '-q',
    '--src-tls-verify=false',
    `docker://${reference}`,
    `oci:${join(own, 'image')}:v1`,
  ]),
  onImage('podman pull', 'podman', (reference, own) => [
    '--root',
    join(own, 'root'),
    '--runroot',
    join(own, 'run'),
    '--storage-driver',
    'vfs',
    'pull',
    '-q',
    '--tls-verify=false',
    reference,
  ]),
];

print(`| client | requests, ${nodes} directly | copies | requests, ${nodes} nodes | copies |`);
print('| --- | --- | --- | --- | --- |');
for (const client of clients) {
  if (values.only !== undefined && !client.name.startsWith(values.only)) continue;
  if (!(await isThere(client.program))) {
    print(`| ${client.name} | not installed |`);
    continue;
  }
  const direct = await measure(client, []);
  const ours = await measure(client, client.doors ?? proxies);
  const copies = ({ bytes }: Count): string => (bytes / client.bytes).toFixed(2);
  print(`| ${client.name} | ${direct.requests} | ${copies(direct)} | ${ours.requests} | ${copies(ours)} |`);
}

async function measure(client: Client, through: readonly string[]): Promise<Count> {
  const bring = await client.prepare();
  client.relay.take();
  const startedMs = performance.now();
  const runs = Array.from({ length: nodes }, async (_, node) => {
    const own = directory.join(`run-${(made += 1)}`);
    await mkdir(own, { recursive: true });
    const proxy = through[node] ?? '';
    const env: NodeJS.ProcessEnv = { ...process.env, HOME: own, NO_PROXY: '', no_proxy: '' };
    for (const name of ['http_proxy', 'HTTP_PROXY']) env[name] = client.doors ? '' : proxy;
    const arrived = await bring({ directory: own, env, proxy });
    if (arrived && digestOf(await readFile(arrived.path)) !== arrived.sha256)
      throw new Error(`${client.name}: wrong bytes`);
    await rm(own, { recursive: true, force: true });
  });
  await Promise.all(runs);
  if (values.verbose)
    print(`${((performance.now() - startedMs) / 1000).toFixed(2)} s\n${client.relay.lines.join('\n')}`);
  return client.relay.take();
}

function onFile(
  name: string,
  program: string,
  words: (url: string, target: string) => string[],
  { half = false } = {},
): Client {
  return {
    name,
    program,
    relay: files,
    bytes: half ? fileBytes / 2 : fileBytes,
    prepare: async () => {
      const { url, path, sha256 } = await publish(program);
      return async ({ directory: own, env }) => {
        const target = join(own, 'file');
        if (half) await writeFile(target, (await readFile(path)).subarray(0, fileBytes / 2));
        await execute(program, words(url, target), { env });
        return { path: target, sha256 };
      };
    },
  };
}

function onObject(
  name: string,
  program: string,
  way: 'by proxy' | 'at the S3 door',
  words: (endpoint: string, key: string, target: string) => string[],
): Client {
  return {
    name,
    program,
    relay: objects,
    bytes: fileBytes,
    ...(way === 'at the S3 door' && { doors }),
    prepare: async () => {
      const key = `object-${(made += 1)}`;
      const { path, sha256 } = await makeRandomFile(directory.join(key), fileBytes);
      const answer = await fetch(`${objects.url}/models/${key}`, { method: 'PUT', body: await readFile(path) });
      if (!answer.ok) throw new Error(`the store answered ${answer.status}`);
      return async ({ directory: own, env, proxy }) => {
        const endpoint = way === 'by proxy' ? objects.url : proxy || objects.url;
        await execute(program, words(endpoint, key, join(own, 'object')), { env: { ...env, ...s3Env } });
        return { path: join(own, 'object'), sha256 };
      };
    },
  };
}

/** Nodes with the store behind their doors; what users configure there. */
async function openDoors(): Promise<string[]> {
  const swarm = owned.use(await LocalSwarm.create());
  await swarm.startScheduler();
  const key = { accessKeyID: s3Env.AWS_ACCESS_KEY_ID, secretKey: s3Env.AWS_SECRET_ACCESS_KEY };
  const s3 = { tcpListen: { port: 0 }, buckets: [{ name: 'models', endpoint: objects.url, ...key }], clients: [key] };
  const names = Array.from({ length: nodes }, (_, node) => `door-${node}`);
  const daemons = await Promise.all(
    names.map((name) => swarm.startDaemon(name, { yaml: `doors: ${JSON.stringify({ s3 })}` })),
  );
  return daemons.map(({ service }) => `http://${service.addresses['s3']}`);
}

/** Three layers; the programs check every digest. */
function onImage(name: string, program: string, words: (reference: string, own: string) => string[]): Client {
  const layerBytes = 8 * mebibyte;
  return {
    name,
    program,
    relay: images,
    bytes: 3 * layerBytes,
    prepare: async () => {
      const repository = `tried/${(made += 1)}`;
      await pushImage(registry.url, repository, 'v1', makeImage({ layers: 3, layerBytes }));
      return async ({ directory: own, env }) => {
        await execute(program, words(`${images.host}/${repository}:v1`, own), { env });
      };
    },
  };
}

async function publish(name: string): Promise<{ url: string; path: string; sha256: string }> {
  const file = `${name}-${(made += 1)}`;
  const { path, sha256 } = await makeRandomFile(directory.join(file), fileBytes);
  // What was written a moment ago has no validator to go by.
  await execute('touch', ['-d', '1 hour ago', path]);
  await rename(path, join(nginx.root, file));
  return { url: `${files.url}/${file}`, path: join(nginx.root, file), sha256 };
}

/** A store that knows all of S3; it takes any key. */
async function startStore(): Promise<string> {
  const port = await freePort('127.0.0.1');
  const child = spawn('moto_server', ['-H', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' });
  child.on('error', () => undefined);
  owned.defer(() => void child.kill());
  if (!(await isThere('moto_server'))) return `127.0.0.1:${port}`;
  await waitFor('the store to answer', () =>
    fetch(`http://127.0.0.1:${port}/models`, { method: 'PUT' }).then(
      ({ ok }) => ok,
      () => false,
    ),
  );
  return `127.0.0.1:${port}`;
}

function digestOf(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

function print(text: string): void {
  console.log(text);
}
