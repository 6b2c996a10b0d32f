/**
 * NTLM and Negotiate sign in a connection, and whatever comes over it later is the same person's, without a credential
 * in any header. So the connections to such an origin belong to one client's connection: nobody else's request goes
 * over them, and what the origin answers is for that client alone.
 */
import type { Agent as HttpAgent, AgentOptions, IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';

const schemes = /^(?:ntlm|negotiate|kerberos)(?:\s|$)/i;
/** Origins that one client's connection is signed in at. */
const maxOrigins = 32;
/** One connection at a time, since another one would not be signed in. */
const alone: AgentOptions = { maxSockets: 1, maxFreeSockets: 1, keepAlive: true };

/** The connections to origins of one client's connection. */
export class OwnConnections {
  readonly #origins = new Set<string>();
  readonly #agents = new Map<string, HttpAgent>();
  #closed = false;

  has(origin: string): boolean {
    return this.#origins.has(origin);
  }

  add(origin: string): void {
    const [oldest] = this.#origins;
    if (oldest !== undefined && this.#origins.size >= maxOrigins) this.#origins.delete(oldest);
    this.#origins.add(origin);
  }

  /** @param key tells apart agents whose connections must not be mixed */
  agent<Agent extends HttpAgent>(key: string, make: (options: AgentOptions) => Agent): Agent {
    const known = this.#agents.get(key) as Agent | undefined;
    if (known) return known;
    const agent = make(alone);
    this.#agents.set(key, agent);
    if (this.#closed) agent.destroy();
    return agent;
  }

  close(): void {
    this.#closed = true;
    for (const agent of this.#agents.values()) agent.destroy();
    this.#agents.clear();
  }
}

const byClient = new WeakMap<Socket, OwnConnections>();

/** Undefined for a request that may share connections with others. */
export function ownConnections(request: IncomingMessage, { origin }: URL): OwnConnections | undefined {
  const { headers } = request;
  const socket = request.socket as Socket | undefined; // HTTP/2 has none once the client has gone
  if (!socket) return undefined;
  const known = byClient.get(socket);
  if (known?.has(origin) === true) return known;
  if (!schemes.test(headers.authorization ?? '')) return undefined;
  const own = known ?? new OwnConnections();
  own.add(origin);
  if (!known) {
    byClient.set(socket, own);
    socket.once('close', () => own.close());
  }
  return own;
}
