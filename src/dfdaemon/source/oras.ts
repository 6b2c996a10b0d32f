/**
 * oras: a file kept in a container registry as the only layer of an artifact, `oras://registry/repository:tag`.
 *
 * The manifest tells which blob it is; the blob is then an ordinary object over HTTP. A registry on this very machine is
 * spoken to without TLS, as container engines do it. Credentials: an Authorization header, or user and password in the URL.
 */
import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { mayLogIn, tokenService } from '../../core/net/credential-routes.ts';
import { DragonflyError } from '../../core/errors.ts';
import { parseAuthChallenges } from '../../core/oci/auth-challenge.ts';
import { statusError } from './http/http-object.ts';
import type { HttpSource, TextAnswer } from './http.ts';
import { maxRegistryTokens, registryTokenMs } from './limits.ts';
import type { Source, SourceBody, SourceEntry, SourceObject, SourceRequest } from './source.ts';

const manifestTypes = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
];

export class OrasSource implements Source {
  readonly schemes = ['oras'] as const;
  readonly #http: HttpSource;
  /** A registry's token for one repository and one caller. */
  readonly #tokens = new LRUCache<string, string>({ max: maxRegistryTokens, ttl: registryTokenMs });

  constructor(http: HttpSource) {
    this.#http = http;
  }

  async open(request: SourceRequest): Promise<SourceBody> {
    return this.#http.open(await this.#blob(request));
  }

  async stat(request: SourceRequest): Promise<SourceObject> {
    return this.#http.stat(await this.#blob(request));
  }

  list(request: SourceRequest): AsyncIterable<SourceEntry> {
    throw new DragonflyError('UNSUPPORTED', `${request.url} is an artifact, not a directory`, {
      hint: 'Leave out --recursive.',
    });
  }

  /** The request for the blob that the artifact consists of. */
  async #blob(request: SourceRequest): Promise<SourceRequest> {
    const artifact = artifactOf(request);
    const { base, repository, reference } = artifact;
    const url = `${base}/v2/${repository}/manifests/${reference}`;
    const { answer, authorization } = await this.#authorized(
      { ...request, url, validator: undefined, range: undefined },
      artifact,
    );
    if (answer.statusCode !== 200) throw statusError(answer, { url: new URL(url) });
    const digest = onlyLayer(answer, request.url);
    return {
      ...request,
      url: `${base}/v2/${repository}/blobs/${digest}`,
      header: withAuthorization(request, authorization),
    };
  }

  /** Asks with the known credentials, and once more with those that the registry then demands. */
  async #authorized(
    request: SourceRequest,
    artifact: Artifact,
  ): Promise<{ answer: TextAnswer; authorization: string | undefined }> {
    const key = createHash('sha256')
      .update(JSON.stringify([artifact.base, artifact.repository, artifact.login]))
      .digest('base64');
    const ask = (authorization: string | undefined): Promise<TextAnswer> =>
      this.#http.text({
        ...request,
        header: { ...withAuthorization(request, authorization), accept: manifestTypes.join(', ') },
      });
    const known = this.#tokens.get(key) ?? (artifact.login?.startsWith('Bearer ') ? artifact.login : undefined);
    const first = await ask(known);
    if (first.statusCode !== 401) return { answer: first, authorization: known };
    const authorization = await this.#answerTo(first, request, artifact);
    if (authorization === undefined || authorization === known) return { answer: first, authorization: known };
    const answer = await ask(authorization);
    if (answer.statusCode !== 401) this.#tokens.set(key, authorization);
    return { answer, authorization };
  }

  async #answerTo(
    { header, fromLoopback, foreign }: TextAnswer,
    request: SourceRequest,
    { base, repository, login }: Artifact,
  ): Promise<string | undefined> {
    if (foreign) return undefined; // another registry, which the login is not for
    const challenges = parseAuthChallenges(header['www-authenticate'] ?? '');
    const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
    if (!bearer) return challenges.some(({ scheme }) => scheme === 'basic') ? login : undefined;
    const registry = new URL(base);
    const url = tokenService(bearer, registry, { repository });
    // What was given as a token is one for the registry alone.
    const shown = login !== undefined && login.startsWith('Basic ') && mayLogIn(url, registry);
    const answer = await this.#http.text(
      { ...request, url: url.href, header: shown ? { authorization: login } : {} },
      { loopbackAllowed: fromLoopback }, // a remote registry must not send us to this machine
    );
    if (answer.statusCode !== 200) throw statusError(answer, { url });
    const { token, access_token: accessToken } = parsed(answer.text) as { token?: unknown; access_token?: unknown };
    if (typeof (token ?? accessToken) === 'string') return `Bearer ${String(token ?? accessToken)}`;
    throw new DragonflyError('PROTOCOL', 'the token service of the registry sent no token');
  }
}

interface Artifact {
  /** Scheme and host of the registry. */
  readonly base: string;
  readonly repository: string;
  /** Tag or digest. */
  readonly reference: string;
  readonly login: string | undefined;
}

function artifactOf({ url: text, header }: SourceRequest): Artifact {
  const url = new URL(text);
  const match = /^\/([a-z0-9._/-]+?)(?::([\w][\w.-]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?$/.exec(url.pathname);
  if (!match?.[1] || url.host === '') {
    throw new DragonflyError('INVALID_ARGUMENT', `${text} does not name an artifact`, {
      hint: 'Write oras://registry/repository:tag.',
    });
  }
  const given = Object.entries(header).find(([name]) => name.toLowerCase() === 'authorization')?.[1];
  const user = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  const login = given ?? (user === ':' ? undefined : `Basic ${Buffer.from(user).toString('base64')}`);
  const local = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(url.hostname);
  return {
    base: `${local ? 'http' : 'https'}://${url.host}`,
    repository: match[1],
    reference: match[3] ?? match[2] ?? 'latest',
    login,
  };
}

function onlyLayer({ text }: TextAnswer, url: string): string {
  const { layers } = parsed(text) as { layers?: unknown };
  const digests = Array.isArray(layers) ? layers.map((layer) => (layer as { digest?: unknown } | null)?.digest) : [];
  const [digest] = digests;
  if (digests.length === 1 && typeof digest === 'string' && /^sha256:[0-9a-f]{64}$/.test(digest)) return digest;
  throw new DragonflyError('UNSUPPORTED', `${url} is not one file: its manifest has ${digests.length} layers`, {
    hint: 'Only artifacts of one layer can be downloaded; images are pulled through the proxy.',
  });
}

function withAuthorization({ header }: SourceRequest, authorization: string | undefined): Record<string, string> {
  const others = Object.fromEntries(Object.entries(header).filter(([name]) => name.toLowerCase() !== 'authorization'));
  return authorization === undefined ? others : { ...others, authorization };
}

function parsed(text: string): object {
  try {
    return (JSON.parse(text) ?? {}) as object;
  } catch (error) {
    throw new DragonflyError('PROTOCOL', 'the registry sent something that is not JSON', { cause: error });
  }
}
