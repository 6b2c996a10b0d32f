/** The `Authorization` for one repository, renewed before it expires. */
import { mayLogIn, tokenService } from '../../core/net/credential-routes.ts';
import { DragonflyError } from '../../core/errors.ts';
import { parseAuthChallenges, type AuthChallenge } from '../../core/oci/auth-challenge.ts';
import { minTokenLifeMs, tokenRenewalMs } from './limits.ts';
import { statusError, type RegistryReader } from './registry-answer.ts';

export interface Login {
  readonly username: string;
  readonly password: string;
}

export interface CredentialOptions {
  readonly login?: Login | undefined;
  /** An `Authorization` of the caller's. */
  readonly given?: string | undefined;
  readonly actions?: 'pull' | 'pull,push';
  /** Another repository, from which blobs are taken. */
  readonly readsToo?: string;
}

export class RegistryCredential {
  readonly #registry: RegistryReader;
  readonly #origin: URL;
  readonly #repository: string;
  readonly #login: Login | undefined;
  readonly #actions: string;
  readonly #readsToo: string | undefined;
  /** Handed in by the caller, used as it is for as long as it works. */
  readonly #given: string | undefined;
  #challenge: AuthChallenge | undefined;
  #current: string | undefined;
  #renewAtMs = Infinity;
  #renewing: Promise<string | undefined> | undefined;

  constructor(
    registry: RegistryReader,
    { origin, repository }: { readonly origin: URL; readonly repository: string },
    { login, given, actions = 'pull', readsToo }: CredentialOptions,
  ) {
    this.#registry = registry;
    this.#origin = origin;
    this.#repository = repository;
    this.#login = login;
    this.#actions = actions;
    this.#readsToo = readsToo;
    this.#given = given;
    this.#current = given;
  }

  /** Undefined where none is known to be needed. */
  async authorization(signal: AbortSignal): Promise<string | undefined> {
    if (performance.now() < this.#renewAtMs || !this.#challenge) return this.#current;
    this.#renewing ??= this.#answer(this.#challenge, signal).finally(() => (this.#renewing = undefined));
    return this.#renewing;
  }

  /** After a 401 with that header; undefined when nothing else can be tried. */
  async challenged(header: string, signal: AbortSignal): Promise<string | undefined> {
    if (this.#given !== undefined) return undefined;
    const challenges = parseAuthChallenges(header);
    this.#challenge =
      challenges.find(({ scheme }) => scheme === 'bearer') ?? challenges.find(({ scheme }) => scheme === 'basic');
    return this.#challenge && this.#answer(this.#challenge, signal);
  }

  async #answer({ scheme, parameters }: AuthChallenge, signal: AbortSignal): Promise<string | undefined> {
    const basic =
      this.#login && `Basic ${Buffer.from(`${this.#login.username}:${this.#login.password}`).toString('base64')}`;
    if (scheme === 'basic') return (this.#current = basic);
    const url = tokenService({ scheme, parameters }, this.#origin, {
      repository: this.#repository,
      actions: this.#actions,
    });
    if (this.#readsToo !== undefined) url.searchParams.append('scope', `repository:${this.#readsToo}:pull`);
    const login = mayLogIn(url, this.#origin) ? basic : undefined;
    const answer = await this.#registry.get(url.href, login === undefined ? {} : { authorization: login }, signal);
    if (answer.status !== 200) throw statusError(url.href, answer);
    const { token, lifeMs } = parseToken(answer.body);
    this.#renewAtMs = performance.now() + Math.max(lifeMs - tokenRenewalMs, lifeMs / 2);
    return (this.#current = `Bearer ${token}`);
  }
}

function parseToken(body: string): { token: string; lifeMs: number } {
  let json: { token?: unknown; access_token?: unknown; expires_in?: unknown } = {};
  try {
    json = JSON.parse(body) as typeof json;
  } catch {
    // Not JSON: reported below as an answer without a token.
  }
  const token = json.token ?? json.access_token;
  if (typeof token !== 'string' || token === '')
    throw new DragonflyError('PROTOCOL', 'the token service of the registry sent no token');
  const lifeMs = typeof json.expires_in === 'number' ? json.expires_in * 1000 : minTokenLifeMs;
  return { token, lifeMs: Math.max(lifeMs, minTokenLifeMs) };
}
