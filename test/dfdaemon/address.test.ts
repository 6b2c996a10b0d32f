// needs: curl, ip, nft
/** Which address a node tells others, and what becomes of one that others cannot reach. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { stringify } from 'yaml';
import { ManagedProcess } from '../../src/cli/up/managed-process.ts';
import { unreachableText } from '../../src/dfdaemon/assembly/status.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { waitFor } from '../support/wait-for.ts';

/** Hosts `outer` 10.9.0.2 and `inner` 10.8.0.2 with a bridge of containers, and a router between them that translates the addresses of inner. */
function translatedNetwork(owned: AsyncDisposableStack): { readonly outer: string; readonly inner: string } {
  const id = randomBytes(3).toString('hex');
  const [outer, router, inner] = [`${id}o`, `${id}r`, `${id}i`];
  owned.defer(() => [outer, router, inner].forEach((name) => execFileSync('ip', ['netns', 'del', name])));
  const script = `
    for n in ${outer} ${router} ${inner}; do ip netns add $n; ip -n $n link set lo up; done
    ip -n ${outer} link add up0 type veth peer name up1 netns ${router}
    ip -n ${inner} link add docker0 type bridge; ip -n ${inner} addr add 172.17.0.1/16 dev docker0; ip -n ${inner} link set docker0 up
    ip -n ${inner} link add down0 type veth peer name down1 netns ${router}
    ip -n ${outer} addr add 10.9.0.2/24 dev up0; ip -n ${router} addr add 10.9.0.1/24 dev up1
    ip -n ${inner} addr add 10.8.0.2/24 dev down0; ip -n ${router} addr add 10.8.0.1/24 dev down1
    ip -n ${outer} link set up0 up; ip -n ${router} link set up1 up; ip -n ${inner} link set down0 up; ip -n ${router} link set down1 up
    ip -n ${inner} route add default via 10.8.0.1
    ip netns exec ${router} sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward'
    ip netns exec ${router} nft -f - <<RULES
    table ip nat {
      chain out { type nat hook postrouting priority 100; oifname "up1" masquerade; }
      chain in { type nat hook prerouting priority -100; iifname "up1" tcp dport 7000 dnat to 10.8.0.2:6000; }
    }
RULES`;
  execFileSync('sh', ['-ec', script], { stdio: ['ignore', 'ignore', 'inherit'] });
  return { outer, inner };
}

describe('a node behind address translation', { skip: process.getuid?.() !== 0 && 'needs root, to make one' }, () => {
  test('tells the address of the default route; unreachable it gives nothing, with the forwarded port it does', async () => {
    await using owned = new AsyncDisposableStack();
    const directory = owned.use(await temporaryDirectory());
    const { outer, inner } = translatedNetwork(owned);
    const start = async (program: string, namespace: string, name: string, config: object): Promise<ManagedProcess> => {
      const path = directory.join(`${name}.yaml`);
      await writeFile(path, stringify(config));
      const enter = ['ip', 'netns', 'exec', namespace];
      return owned.use(await ManagedProcess.start({ name, program, args: ['--config', path], enter }));
    };
    const anyPort = { tcpListen: { listen: '127.0.0.1', port: 0 } };
    const scheduler = await start('scheduler', outer, 'scheduler', {
      server: { listenIP: '10.9.0.2', port: 8002, cacheDir: directory.path },
      manager: {},
    });
    assert.match(scheduler.address('grpc'), /^10\.9\.0\.2:/);
    const daemon = async (name: string, host: object): Promise<ManagedProcess> => {
      const home = directory.join(name);
      await mkdir(home);
      return start('dfdaemon', inner, name, {
        workHome: home,
        cacheDir: home,
        dataDir: `${home}/data`,
        logDir: home,
        health: anyPort,
        proxy: anyPort,
        host: { hostname: name, ...host },
        scheduler: { netAddrs: [{ addr: '10.9.0.2:8002' }] },
        download: {
          downloadGRPC: { unixListen: { socket: `${home}/d.sock` } },
          peerGRPC: { tcpListen: { port: name === 'forwarded' ? 6000 : 0 } },
        },
        upload: { tcpListen: { port: 0 } },
      });
    };
    const becomes = async (node: ManagedProcess, text: string): Promise<void> => {
      const url = `http://${node.address('health')}/readyz`;
      await waitFor(
        `"${text}"`,
        () => execFileSync('ip', ['netns', 'exec', inner, 'curl', '-s', url]).toString() === text,
      );
    };
    const forwarded = await daemon('forwarded', { advertiseIP: '10.9.0.1', advertisePort: 7000 });
    const hidden = await daemon('hidden', {});
    assert.match(hidden.address('peer'), /^10\.8\.0\.2:/, 'not that of the bridge');
    await becomes(hidden, unreachableText);
    await waitFor('a line in its log', () => hidden.tail(10_000).includes('other nodes cannot reach this one'));
    await becomes(forwarded, 'ready');
    assert.doesNotMatch(forwarded.tail(10_000), /cannot reach/);
  });
});
