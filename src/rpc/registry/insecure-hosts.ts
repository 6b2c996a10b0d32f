/** Registries that the operator trusts without proof. */

/** Whether they name the host of the URL: `host` for all of its ports, or `host:port`; in any letters, and the port of the scheme too. */
export function namesHost(hosts: readonly string[], { hostname, port, protocol }: URL): boolean {
  const exact = `${hostname}:${port === '' ? (protocol === 'https:' ? 443 : 80) : port}`;
  return hosts.some((host) => [hostname, exact].includes(host.toLowerCase()));
}
