/** The address to advertise: the one that this machine uses for outgoing traffic, never that of a container bridge. */
import { createSocket } from 'node:dgram';
import { existsSync } from 'node:fs';
import { networkInterfaces } from 'node:os';

/** Documentation addresses. Nothing is sent to them; only the route that the kernel would choose matters. */
const somewhere = { udp4: '198.51.100.1', udp6: '2001:db8::1' } as const;

/** Address of the default route, else of the first real interface, else loopback. Never rejects. */
export async function outwardAddress({ enableIPv6 }: { readonly enableIPv6: boolean }): Promise<string> {
  const routed = (enableIPv6 ? await sourceAddress('udp6') : undefined) ?? (await sourceAddress('udp4'));
  return routed ?? interfaceAddress(enableIPv6) ?? '127.0.0.1';
}

/** The kernel chooses it when a datagram socket is connected. */
async function sourceAddress(type: 'udp4' | 'udp6'): Promise<string | undefined> {
  const socket = createSocket(type);
  try {
    return await new Promise<string | undefined>((resolve) => {
      socket.once('error', () => resolve(undefined));
      socket.connect(9, somewhere[type], () => resolve(usable(socket.address().address)));
    });
  } catch {
    return undefined; // a machine without that kind of address
  } finally {
    socket.close();
  }
}

function interfaceAddress(enableIPv6: boolean): string | undefined {
  const outside = Object.entries(networkInterfaces())
    .flatMap(([name, list]) => (list ?? []).map((address) => ({ ...address, bridge: isBridge(name) })))
    .filter(({ internal, address }) => !internal && usable(address) !== undefined)
    .toSorted((a, b) => Number(a.bridge) - Number(b.bridge));
  const preferred = outside.find(({ family }) => family === (enableIPv6 ? 'IPv6' : 'IPv4'));
  return (preferred ?? outside.find(({ family }) => family === 'IPv4'))?.address;
}

function isBridge(name: string): boolean {
  return (
    /^(docker|br-|cni|podman|virbr|lxc|lxd|veth|cali|flannel|cilium|kube)/.test(name) ||
    existsSync(`/sys/class/net/${name}/bridge`)
  );
}

function usable(address: string): string | undefined {
  return /^(fe80|127\.|0\.|169\.254\.|::$|::1$)/i.test(address) ? undefined : address;
}
