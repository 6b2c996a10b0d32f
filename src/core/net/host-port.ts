/** `host:port`, with the brackets that an IPv6 address needs. */
export function hostPort(host: string, port: number | string): string {
  return `${bracketed(host)}:${port}`;
}

/** An IPv6 address as URLs and `host:port` carry it; anything else as it is. */
export function bracketed(host: string): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
}

/** The parts of `host:port`, an IPv6 address without its brackets. Port 0 where there is none. */
export function splitHostPort(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':');
  const host = colon === -1 ? address : address.slice(0, colon);
  return { host: host.replace(/^\[|\]$/g, ''), port: colon === -1 ? 0 : Number(address.slice(colon + 1)) };
}
