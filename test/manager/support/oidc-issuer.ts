/** A small OpenID Connect issuer: discovery, authorization that always consents, token with PKCE, keys. */
import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose';

export class OidcIssuer implements AsyncDisposable {
  /** Claims of whoever signs in. */
  claims: Record<string, unknown> = { sub: 'subject-1', name: 'Grace', email: 'grace@example.org' };
  /** Put into identity tokens instead of what the client sent. */
  nonce: string | undefined;
  readonly #codes = new Map<string, { nonce: string; challenge: string; clientId: string }>();
  readonly #server: Server;
  readonly #key: CryptoKey;
  readonly #jwk: JWK;

  private constructor(key: CryptoKey, jwk: JWK) {
    this.#key = key;
    this.#jwk = jwk;
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)));
    });
  }

  static async start(): Promise<OidcIssuer> {
    const { privateKey, publicKey } = await generateKeyPair('ES256');
    const issuer = new OidcIssuer(privateKey, { ...(await exportJWK(publicKey)), kid: 'k', alg: 'ES256', use: 'sig' });
    await new Promise<void>((resolve) => issuer.#server.listen(0, '127.0.0.1', resolve));
    return issuer;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.url);
    const json = (body: object): void =>
      void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    switch (url.pathname) {
      case '/.well-known/openid-configuration':
        return json({
          issuer: this.url,
          authorization_endpoint: `${this.url}/authorize`,
          token_endpoint: `${this.url}/token`,
          jwks_uri: `${this.url}/jwks`,
          response_types_supported: ['code'],
          subject_types_supported: ['public'],
          id_token_signing_alg_values_supported: ['ES256'],
        });
      case '/jwks':
        return json({ keys: [this.#jwk] });
      case '/authorize': {
        const query = Object.fromEntries(url.searchParams);
        const code = randomUUID();
        this.#codes.set(code, {
          nonce: query['nonce'] ?? '',
          challenge: query['code_challenge'] ?? '',
          clientId: query['client_id'] ?? '',
        });
        const back = new URL(query['redirect_uri'] ?? '');
        back.searchParams.set('code', code);
        back.searchParams.set('state', query['state'] ?? '');
        return void response.writeHead(302, { location: back.href }).end();
      }
      case '/token':
        return json(await this.#token(new URLSearchParams(await text(request))));
      default:
        return void response.writeHead(404).end();
    }
  }

  async #token(form: URLSearchParams): Promise<object> {
    const flow = this.#codes.get(form.get('code') ?? '');
    this.#codes.delete(form.get('code') ?? '');
    const challenge = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url');
    if (!flow || flow.challenge !== challenge) throw new Error('wrong code or verifier');
    const idToken = await new SignJWT({ ...this.claims, nonce: this.nonce ?? flow.nonce })
      .setProtectedHeader({ alg: 'ES256', kid: 'k' })
      .setIssuer(this.url)
      .setAudience(flow.clientId)
      .setIssuedAt()
      .setExpirationTime('5m')
      .sign(this.#key);
    return { access_token: 'a', token_type: 'Bearer', id_token: idToken, expires_in: 300 };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

async function text(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
