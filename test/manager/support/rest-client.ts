/** The REST API as a script or browser uses it, over a real socket. */
import assert from 'node:assert/strict';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Parsed JSON, or the text. */
  readonly body: unknown;
}

export class RestClient {
  readonly #base: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(port: number, headers: Record<string, string> = {}, host = '127.0.0.1') {
    this.#base = `http://${host}:${port}`;
    this.headers = headers;
  }

  withHeaders(headers: Record<string, string>): RestClient {
    const { port, hostname } = new URL(this.#base);
    return new RestClient(Number(port), { ...this.headers, ...headers }, hostname);
  }

  async request(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const response = await fetch(this.#base + path, {
      method,
      redirect: 'manual',
      headers: { ...this.headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(120_000),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: parsed(text) };
  }

  /** The body of an answer that must be 200. */
  async ok<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await this.request(method, path, body);
    assert.equal(answer.status, 200, `${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body as T;
  }

  async signIn(name: string, password: string): Promise<RestClient> {
    const { token } = await this.ok<{ token: string }>('POST', '/api/v1/users/signin', { name, password });
    return this.withHeaders({ authorization: `Bearer ${token}` });
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
