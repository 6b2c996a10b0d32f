// needs: docker-registry, containerd, ctr, dockerd, docker, curl, ip
/**
 * The published set-up of a node, to the letter: its hosts.toml for docker.io, its proxy for Docker, its dfget.yaml and its ports,
 * in a network namespace where the registry's names lead to a registry of ours.
 */
import assert from 'node:assert/strict';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { ManagedProcess } from '../../../src/cli/up/managed-process.ts';
import { temporaryDirectory, type TemporaryDirectory } from '../../support/temporary-directory.ts';
import { DockerRegistry } from '../support/docker-registry.ts';
import { run, startContainerd, startDocker, type Engine } from '../support/engines-fixture.ts';
import { makeImage, pushImage, type Image } from '../support/images.ts';

const names = ['docker.io', 'index.docker.io', 'registry-1.docker.io'];

const hostsToml = `server = "https://docker.io"

[host."http://127.0.0.1:65001"]
  capabilities = ["pull", "resolve"]
  [host."http://127.0.0.1:65001".header]
    X-Dragonfly-Registry = ["https://registry-1.docker.io"]
  [host."https://registry-1.docker.io"]
    capabilities = ["pull", "resolve"]
`;

/** The published dfget.yaml, but for directories, the control plane and the authority of the registry here. */
const daemonYaml = (directory: string, authority: string): string => `
aliveTime: 0s
workHome: ${directory}/work
logDir: ${directory}/log
cacheDir: ${directory}/cache
dataDir: ${directory}/data
health:
  path: /server/ping
  tcpListen:
    port: 40901
metrics: ":8000"
download:
  calculateDigest: true
  downloadGRPC:
    security:
      insecure: true
      tlsVerify: true
    unixListen:
      socket: ${directory}/d.sock
  peerGRPC:
    security:
      insecure: true
    tcpListen:
      port: 65000
  prefetch: false
upload:
  tcpListen:
    port: 65002
proxy:
  defaultFilter: Expires&Signature&ns
  defaultTag:
  tcpListen:
    port: 65001
  security:
    insecure: true
    tlsVerify: false
  registryMirror:
    dynamic: true
    insecure: false
    url: https://index.docker.io
    certs: [${authority}]
  proxies:
    - regx: blobs/sha256.*
    - regx: s3.*amazonaws.com.*
    - regx: oss.*aliyuncs.com.*
    - regx: obs.*myhuaweicloud.com.*
    - regx: ks3.*ksyun.com.*
`;

/** A namespace with a link to this host, in which the names of Docker Hub lead here. */
class NodeNamespace implements AsyncDisposable {
  readonly name: string;
  /** Of this host, as seen from inside. */
  readonly address: string;
  readonly enter: readonly string[];

  static async create(): Promise<NodeNamespace> {
    const namespace = new NodeNamespace(randomBytes(2));
    const { name, address } = namespace;
    const inside = address.replace(/1$/, '2');
    await mkdir(`/etc/netns/${name}`, { recursive: true });
    const lines = ['127.0.0.1 localhost', ...names.map((host) => `${address} ${host}`)];
    await writeFile(`/etc/netns/${name}/hosts`, `${lines.join('\n')}\n`);
    await run('ip', ['netns', 'add', name]);
    await run('ip', ['link', 'add', name, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name]);
    await run('ip', ['address', 'add', `${address}/30`, 'dev', name]);
    await run('ip', ['link', 'set', name, 'up']);
    await run('ip', ['-n', name, 'address', 'add', `${inside}/30`, 'dev', 'eth0']);
    for (const device of ['eth0', 'lo']) await run('ip', ['-n', name, 'link', 'set', device, 'up']);
    return namespace;
  }

  private constructor(random: Buffer) {
    this.name = `dfn${random.toString('hex')}`;
    this.address = `10.${192 + ((random[0] ?? 0) % 32)}.${random[1] ?? 0}.1`;
    this.enter = ['ip', 'netns', 'exec', this.name];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run('ip', ['netns', 'delete', this.name]).catch(() => undefined);
    await run('ip', ['link', 'delete', this.name]).catch(() => undefined);
    await rm(`/etc/netns/${this.name}`, { recursive: true, force: true });
  }
}

describe('the published set-up', () => {
  const owned = new AsyncDisposableStack();
  let directory: TemporaryDirectory;
  let node: NodeNamespace;
  let registry: DockerRegistry;
  let containerd: Engine;
  let daemon: ManagedProcess;
  before(async () => {
    directory = owned.use(await temporaryDirectory('df-set-'));
    node = owned.use(await NodeNamespace.create());
    registry = owned.use(
      await DockerRegistry.start({
        directory: directory.join('registry'),
        address: node.address,
        port: 443,
        tls: true,
        names,
      }),
    );
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'; // only this process, which pushes the images
    await writeFile(directory.join('ca.pem'), registry.ca ?? '');
    await writeFile(directory.join('dfget.yaml'), daemonYaml(directory.path, directory.join('ca.pem')));
    daemon = owned.use(
      await ManagedProcess.start({
        name: 'dfdaemon',
        program: 'dfdaemon',
        args: ['--config', directory.join('dfget.yaml')],
        enter: node.enter,
        readyDeadlineMs: 60_000,
      }),
    );
    containerd = owned.use(await startContainerd(directory.join('c')));
    const place = directory.join('certs.d', 'docker.io');
    await mkdir(place, { recursive: true });
    await writeFile(join(place, 'hosts.toml'), hostsToml);
  });
  after(() => owned.disposeAsync());

  async function publish(repository: string): Promise<Image> {
    const image = makeImage({ layers: 3, layerBytes: 200_000 });
    await pushImage(registry.url, repository, 'v1', image, registry.request);
    return image;
  }

  /** ctr resolves and fetches itself, so it is the one that lives in the namespace. */
  async function pull(repository: string): Promise<string> {
    const ctr = ['ctr', '-a', containerd.socket, 'images'];
    const [ip = '', ...inside] = node.enter;
    const trust = { env: { SSL_CERT_FILE: directory.join('ca.pem') } }; // for the second host of hosts.toml
    const reference = `docker.io/${repository}:v1`;
    const options = ['--snapshotter', 'native', '--hosts-dir', directory.join('certs.d')];
    await run(ip, [...inside, ...ctr, 'pull', ...options, reference], trust);
    return run(ip, [...inside, ...ctr, 'ls', `name==${reference}`]);
  }

  async function fromInside(url: string): Promise<string> {
    const [ip = '', ...inside] = node.enter;
    return run(ip, [...inside, 'curl', '-sf', url]);
  }

  test('ctr pulls an image of docker.io by the published hosts.toml, through the daemon on its published port', async () => {
    const image = await publish('library/published');
    assert.ok((await pull('library/published')).includes(image.manifest.digest));
    for (const { digest } of image.layers) assert.equal(registry.gets(digest), 1, digest);
    assert.match(await fromInside('http://127.0.0.1:40901/server/ping'), /OK/); // what nydusd would ask
    assert.match(await fromInside('http://127.0.0.1:8000/metrics'), /proxy_request_via_dragonfly_total [3-9]/);
  });

  test('F4: all traffic of a dockerd with the published environment passes the proxy; without interception, unread', async () => {
    const image = await publish('library/docker');
    const proxy = 'http://127.0.0.1:65001';
    const env = { HTTP_PROXY: proxy, HTTPS_PROXY: proxy, SSL_CERT_FILE: directory.join('ca.pem') };
    // dockerd needs this host's /sys, and no names: the proxy is the one that looks them up
    const enter = ['nsenter', `--net=/var/run/netns/${node.name}`];
    await using docker = await startDocker(directory.join('docker'), {
      containerd,
      config: {},
      env,
      enter,
    });
    const said = await run('docker', ['-H', `unix://${docker.socket}`, 'pull', 'docker:v1']);
    assert.ok(said.includes(image.manifest.digest), said);
    assert.match(await fromInside('http://127.0.0.1:8000/metrics'), /proxy_request_tunnel_total [1-9]/);
  });

  test('the same file without the daemon: containerd goes to the registry itself', async () => {
    const image = await publish('library/alone');
    await daemon.stop();
    assert.ok((await pull('library/alone')).includes(image.manifest.digest));
  });
});
