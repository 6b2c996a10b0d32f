/** Two machines with a control plane each, a load balancer, a database server, and five nodes with three engines: README.md. */
import { spawn, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { globSync, readFileSync, rmSync, writeFileSync, copyFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { engineKinds } from '../../test/manager/support/engines.ts';
import { DockerRegistry } from '../../test/proxy/support/docker-registry.ts';
import { makeImage, pushImage, type Image } from '../../test/proxy/support/images.ts';
import { NamespaceNetwork } from '../../test/support/network-namespaces.ts';
import { publishedDfgetYaml } from '../../test/support/published-dfget.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { waitFor } from '../../test/support/wait-for.ts';
import { root } from '../../test/house/repository.ts';
import { Machine } from './machine.ts';

const hubNames = ['docker.io', 'index.docker.io', 'registry-1.docker.io'];
const engines = ['containerd', 'containerd', 'docker', 'docker', 'podman'] as const;
type Engine = (typeof engines)[number];
/** Where published set-ups name the load balancer. */
const publishedManager = '192.0.2.1';

const { values } = parseArgs({
  options: {
    deb: { type: 'string' },
    mib: { type: 'string', default: '48' },
    keep: { type: 'boolean', default: false },
  },
});
const deb =
  values.deb ??
  globSync('dist/*_amd64.deb', { cwd: root })
    .map((path) => join(root, path))
    .at(-1);
if (deb === undefined) throw new Error('there is no package in dist/: npm run build:binary && npm run build:packages');

await using owned = new AsyncDisposableStack();
const directory = owned.use(await temporaryDirectory('df-vm-'));
const network = owned.use(await NamespaceNetwork.create({ hosts: 7 }));
const say = (text: string): void => void process.stdout.write(`${text}\n`);

// The services that a cloud has: a database, a load balancer, a registry, all at one address that is on no machine.
const [first] = network.hosts;
if (!first) throw new Error('there are no hosts');
const cloud = first.address.replace(/\d+$/, '254');
execFileSync('ip', ['address', 'add', `${cloud}/24`, 'dev', first.namespace.replace(/^df-(.*)-0$/, 'df$1')]);
const mariadb = engineKinds.find(({ name }) => name === 'mariadb');
if (!mariadb || mariadb.missing !== false) throw new Error('MariaDB is not installed');
const database = owned.use(await mariadb.start());
const { mysql } = await database.newDatabase();
if (!mysql) throw new Error('the database server has no address');
const registry = owned.use(
  await DockerRegistry.start({
    directory: directory.join('registry'),
    address: cloud,
    port: 443,
    tls: true,
    names: hubNames,
  }),
);
process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'; // only this process, which pushes the images

const machines = network.hosts.map((host, index) => {
  const name = index < 2 ? `vm-${index + 1}` : `node-${index - 1}`;
  const machine = owned.use(Machine.create(name, host, directory.join(name)));
  const hosts = ['127.0.0.1 localhost', `127.0.1.1 ${name}`, ...hubNames.map((hub) => `${cloud} ${hub}`)];
  machine.write('/etc/hosts', `${hosts.join('\n')}\n`);
  machine.write('/etc/hostname', `${name}\n`);
  const authorities = '/etc/ssl/certs/ca-certificates.crt';
  machine.write(authorities, `${readFileSync(authorities, 'utf8')}${registry.ca ?? ''}`);
  copyFileSync(resolve(deb), join(machine.root, 'srv/dragonfly.deb'));
  return machine;
});
const [vms, nodes] = [machines.slice(0, 2), machines.slice(2)];
const addresses = vms.map(({ host }) => host.address);

const balanced = readFileSync(join(root, 'deploy/compose/template/haproxy.template.cfg'), 'utf8')
  .replaceAll('__IP__', addresses[0] ?? '')
  .replaceAll('__OTHER_IP__', addresses[1] ?? '')
  .replace('bind :65103', `bind ${cloud}:65003`)
  .replace('bind :8180', `bind ${cloud}:8080`);
const forDatabase = `frontend database\n  bind ${cloud}:3306\n  default_backend database\nbackend database\n  server one 127.0.0.1:${mysql.port}\n`;
writeFileSync(directory.join('haproxy.cfg'), `${balanced}\n${forDatabase}`);
const haproxy = spawn('/usr/sbin/haproxy', ['-db', '-f', directory.join('haproxy.cfg')], { stdio: 'ignore' });
owned.defer(async () => {
  const exited = once(haproxy, 'exit');
  haproxy.kill('SIGKILL');
  await exited;
});

// The control plane on both, by docs/vm.md and docs/operate.md.
const services = ['manager', 'scheduler', 'seed-peer'].map((name) => `dragonfly-${name}`).join(' ');
const managerDatabase = [
  'type: mysql',
  'mysql:',
  ...[`host: ${cloud}`, 'port: 3306', `user: ${mysql.user}`, `dbname: ${mysql.dbname}`].map((line) => `  ${line}`),
];
for (const vm of vms) {
  await vm.type('apt install -y /srv/dragonfly.deb');
  vm.write('/etc/default/dragonfly', 'DRAGONFLY_ENCRYPTION_SECRET=a-secret-of-both-machines\n');
  const [manager, scheduler, seed] = ['manager', 'scheduler', 'seed-peer'].map((name) =>
    readFileSync(join(vm.root, `etc/dragonfly/${name}.yaml`), 'utf8'),
  );
  const block = managerDatabase.map((line) => `  ${line}`).join('\n');
  vm.write('/etc/dragonfly/manager.yaml', (manager ?? '').replace(/^ {2}type: sqlite$/m, block));
  const both = addresses.map((address) => `${address}:65003`).join(',');
  vm.write(
    '/etc/dragonfly/scheduler.yaml',
    (scheduler ?? '')
      .replace('127.0.0.1:65003', both)
      .replace('# advertiseIP: 10.0.0.1', `advertiseIP: ${vm.host.address}`),
  );
  vm.write(
    '/etc/dragonfly/seed-peer.yaml',
    `${(seed ?? '').replace('127.0.0.1:65003', `${cloud}:65003`)}host: {advertiseIP: ${vm.host.address}, hostname: ${vm.name}}\n`,
  );
  await vm.type(`systemctl enable --now ${services}`);
}
const isServing = async (vm: Machine): Promise<boolean> => {
  const ports = [65_003, 8002, 65_006];
  for (const port of ports) await vm.run(`dragonfly health -addr=127.0.0.1:${port}`);
  return true;
};
for (const vm of vms)
  await waitFor(`${vm.name}`, () => isServing(vm), 240_000).catch(async (error: unknown) => {
    throw new Error(await vm.run('tail -n 20 /var/log/dragonfly-*.log'), { cause: error });
  });
say(`both machines serve; commands on each: ${vms.map(({ commands }) => commands.length).join(', ')} and the files`);

// The nodes, by docs/vm.md, with the published file to the letter but for the address.
const literal = publishedDfgetYaml.replace(publishedManager, '__MANAGER_IP__');
const pullOf: Record<Engine, (image: string) => string> = {
  containerd: (image) =>
    `ctr images pull --hosts-dir /etc/containerd/certs.d docker.io/library/${image} >&2; ctr images ls name==docker.io/library/${image}`,
  docker: (image) => `docker -H unix:///run/docker.sock pull ${image}`,
  podman: (image) =>
    `podman --storage-driver vfs --cgroup-manager cgroupfs pull -q docker.io/library/${image} >&2; podman --storage-driver vfs inspect --format '{{.Digest}}' docker.io/library/${image}`,
};
const setupOf: Record<Engine, string> = {
  containerd: 'dragonfly setup containerd --apply',
  docker: 'dragonfly setup docker --apply',
  podman: 'dragonfly setup podman --apply',
};
const images: { readonly name: string; readonly image: Image }[] = [];
for (let index = 1; index <= 4; index += 1) {
  const image = makeImage({ layers: 3, layerBytes: (Number(values.mib) * 2 ** 20) / 3 });
  await pushImage(registry.url, `library/app-${index}`, 'v1', image, registry.request);
  images.push({ name: `app-${index}:v1`, image });
}
await Promise.all(
  nodes.map(async (node, index) => {
    const engine = engines[index] ?? 'containerd';
    if (engine !== 'podman') await node.run('systemctl start containerd');
    if (engine === 'docker') await node.run('systemctl start docker');
    node.write('/srv/dfget.template.yaml', literal);
    await node.type('apt install -y /srv/dragonfly.deb');
    await node.type(`sed "s/__MANAGER_IP__/${cloud}/g" /srv/dfget.template.yaml > /etc/dragonfly/dfget.yaml`);
    await node.type('systemctl enable --now dragonfly-dfdaemon');
    await waitFor(
      `${node.name}`,
      () => node.run('dragonfly health -addr=127.0.0.1:65000').then(() => true),
      240_000,
    ).catch(async (error: unknown) => {
      throw new Error(await node.run('tail -n 20 /var/log/dragonfly-dfdaemon.log'), { cause: error });
    });
    say(await node.type(setupOf[engine]));
    if (engine === 'docker')
      await waitFor('dockerd', () => node.run('docker -H unix:///run/docker.sock version').then(() => true));
  }),
);

let right = 0;
let pulls = 0;
async function pullOnAll({ name, image }: (typeof images)[number], during?: () => Promise<void>): Promise<number> {
  const pulling = nodes.map(async (node, index) => {
    const command = pullOf[engines[index] ?? 'containerd'](name);
    pulls += 1;
    const said = await (node.commands.length < 5 ? node.type(command) : node.run(command)).catch((error: unknown) =>
      String(error),
    );
    if (said.includes(image.manifest.digest)) right += 1;
    else say(`WRONG ${node.name} ${name}: ${said.slice(-2_000)}`);
  });
  await Promise.all([during?.(), ...pulling]);
  const [sent, all] = image.layers.reduce(
    ([bytes, length], { digest, content }) => [bytes + registry.bytesSent(digest), length + content.length],
    [0, 0],
  );
  return sent / all;
}
const copies: string[] = [];
for (const [index, image] of images.entries()) {
  const victim = index < 2 ? undefined : vms[index - 2];
  const killed =
    victim &&
    (async () => {
      await waitFor('bytes on their way', () => registry.bytesSent(image.image.layers[0]?.digest ?? '') >= 0);
      await new Promise((later) => setTimeout(later, 500));
      victim.kill();
    });
  const figure = `${image.name}: ${(await pullOnAll(image, killed)).toFixed(3)} copies of the origin${victim ? `, ${victim.name} killed meanwhile` : ''}`;
  copies.push(figure);
  say(figure);
  if (!victim) continue;
  await victim.run(`systemctl start ${services}`);
  await waitFor(`${victim.name} again`, () => isServing(victim), 240_000);
}
say(`${right} of ${pulls} pulls right`);
say(
  `commands on each node, from the package to the first pull: ${nodes.map(({ commands }) => commands.length).join(', ')}`,
);
for (const command of nodes[0]?.commands ?? []) say(`  ${command}`);
if (values.keep) {
  say('kept; Enter ends it');
  await once(process.stdin, 'data');
}
process.exitCode = right === pulls ? 0 : 1;
rmSync(directory.join('haproxy.cfg'));
