/** `host:port`, with the brackets that an IPv6 address needs. */
export function hostPort(host: string, port: number | string): string {
  return `${bracketed(host)}:${port}`;
}

/** Puts brackets around an IPv6 address, as URLs and `host:port` need; anything else is unchanged. */
export function bracketed(host: string): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
}

/** Splits `host:port`; removes the brackets of an IPv6 address. Port 0 where there is none. */
export function splitHostPort(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':');
  const host = colon === -1 ? address : address.slice(0, colon);
  return { host: host.replace(/^\[|\]$/g, ''), port: colon === -1 ? 0 : Number(address.slice(colon + 1)) };
}
