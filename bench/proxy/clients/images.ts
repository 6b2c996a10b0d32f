/** Container engines and tools for images; the programs check every digest. */
import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { startContainerd } from '../../../test/proxy/support/engines-fixture.ts';
import { makeImage, pushImage } from '../../../test/proxy/support/images.ts';
import { makeRandomFile } from '../../../test/support/random-file.ts';
import { waitFor } from '../../../test/support/wait-for.ts';
import { execute, fileBytes, mebibyte, type Client, type ClientLab, type Run } from './lab.ts';

const layerBytes = 8 * mebibyte;

export function imageClients(lab: ClientLab): Client[] {
  return [
    onImage(lab, 'skopeo', 'skopeo', async ({ directory: own, env }, reference) => {
      const target = `oci:${join(own, 'image')}:v1`;
      await execute('skopeo', ['copy', '-q', '--src-tls-verify=false', `docker://${reference}`, target], { env });
    }),
    onImage(lab, 'podman pull', 'podman', async ({ directory: own, env }, reference) => {
      const place = ['--root', join(own, 'root'), '--runroot', join(own, 'run'), '--storage-driver', 'vfs'];
      await execute('podman', [...place, 'pull', '-q', '--tls-verify=false', reference], { env });
    }),
    onImage(lab, 'containerd by hosts.toml', 'containerd', pullByContainerd),
    nydus(lab),
  ];
}

/** Three layers. */
function onImage(
  lab: ClientLab,
  name: string,
  program: string,
  pull: (run: Run, reference: string) => Promise<void>,
): Client {
  return {
    name,
    program,
    relay: lab.images,
    bytes: 3 * layerBytes,
    prepare: async () => {
      const repository = `tried/${lab.nextNumber()}`;
      await pushImage(lab.registry.url, repository, 'v1', makeImage({ layers: 3, layerBytes }));
      return (run) => pull(run, `${lab.images.host}/${repository}:v1`);
    },
  };
}

/** As `dragonfly setup containerd` writes it. */
async function pullByContainerd({ directory: own, proxy }: Run, reference: string): Promise<void> {
  const [registry = ''] = reference.split('/');
  const place = join(own, 'hosts', registry);
  await mkdir(place, { recursive: true });
  const host = proxy || `http://${registry}`;
  const lines = [`server = "http://${registry}"`, `[host."${host}"]`, '  capabilities = ["pull", "resolve"]'];
  if (proxy) lines.push(`  [host."${host}".header]`, `    X-Dragonfly-Registry = ["http://${registry}"]`);
  await writeFile(join(place, 'hosts.toml'), [...lines, ''].join('\n'));
  await using engine = await startContainerd(join(own, 'c'));
  const words = ['images', 'pull', '--snapshotter', 'native', '--hosts-dir', join(own, 'hosts'), reference];
  await execute('ctr', ['-a', engine.socket, ...words]);
}

/** A file system over an image that is loaded as it is read: a file of 64 MiB, all of it. Needs FUSE and nydus-image. */
function nydus(lab: ClientLab): Client {
  return {
    name: 'nydusd, all of a file',
    program: 'nydusd',
    relay: lab.images,
    bytes: fileBytes,
    prepare: async () => {
      const repository = `tried/${lab.nextNumber()}`;
      const place = lab.directory.join(`nydus-${lab.nextNumber()}`);
      for (const name of ['content', 'blobs']) await mkdir(join(place, name), { recursive: true });
      const { sha256 } = await makeRandomFile(join(place, 'content/file'), fileBytes);
      const bootstrap = join(place, 'bootstrap');
      const where = ['-D', join(place, 'blobs'), '-B', bootstrap, join(place, 'content')];
      await execute('nydus-image', ['create', '-t', 'dir-rafs', '--compressor', 'none', ...where]);
      const [name = ''] = await readdir(join(place, 'blobs'));
      const content = await readFile(join(place, 'blobs', name));
      const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
      const image = { ...makeImage({ layers: 0, layerBytes: 0 }), layers: [{ digest, content }] };
      await pushImage(lab.registry.url, repository, 'v1', image);
      return async (run) => {
        await using mount = await mountNydus(run, { host: lab.images.host, repository, bootstrap });
        await execute('cp', [join(mount.directory, 'file'), join(run.directory, 'file')]);
        return { path: join(run.directory, 'file'), sha256 };
      };
    },
  };
}

interface Mounted extends AsyncDisposable {
  readonly directory: string;
}

async function mountNydus(
  { directory: own, proxy }: Run,
  { host, repository, bootstrap }: { host: string; repository: string; bootstrap: string },
): Promise<Mounted> {
  const directory = join(own, 'mount');
  await mkdir(directory, { recursive: true });
  const backend = { scheme: 'http', host, repo: repository, ...(proxy && { proxy: { url: proxy, fallback: false } }) };
  const device = {
    backend: { type: 'registry', config: backend },
    cache: { type: 'blobcache', config: { work_dir: join(own, 'cache') } },
  };
  await writeFile(join(own, 'nydus.json'), JSON.stringify({ device, mode: 'direct' }));
  const words = ['--config', join(own, 'nydus.json'), '--mountpoint', directory, '--bootstrap', bootstrap];
  const child = spawn('nydusd', [...words, '--apisock', join(own, 'api.sock')], { stdio: 'ignore' });
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    await exited;
  };
  try {
    await waitFor('the image to be mounted', async () => (await readdir(directory)).includes('file'));
  } catch (error) {
    await stop();
    throw error;
  }
  return { directory, [Symbol.asyncDispose]: stop };
}
