/** One repository of a registry, as it is read from and written to with one login. */
import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { DragonflyError } from '../../core/errors.ts';
import { manifestMediaTypes } from '../../core/oci/manifest.ts';
import { blobUrl, manifestUrl } from '../../core/oci/reference.ts';
import { acceptManifests } from '../../rpc/registry/image.ts';
import type { RegistryAnswer } from '../../rpc/registry/registry-answer.ts';
import type { RegistryClient } from '../../rpc/registry/registry-client.ts';
import { RegistryCredential, type CredentialOptions } from '../../rpc/registry/registry-credential.ts';
import { requireStatus } from './registry-pause.ts';

export interface RepositoryPlace {
  /** Scheme and host. */
  readonly registry: string;
  readonly name: string;
}

export interface ReadManifest {
  readonly text: string;
  readonly mediaType: string;
  readonly digest: string;
}

export type RepositoryOptions = Pick<CredentialOptions, 'login' | 'actions'>;

/** Content of a blob, of which the first bytes may have to be left out. */
export interface BlobRest {
  readonly content: Readable;
  readonly skipBytes: number;
  /** Without those. */
  readonly lengthBytes: number | undefined;
}

export class RegistryRepository {
  readonly place: RepositoryPlace;
  readonly #registry: RegistryClient;
  readonly #options: RepositoryOptions;
  readonly #credential: RegistryCredential;

  constructor(registry: RegistryClient, place: RepositoryPlace, options: RepositoryOptions) {
    this.place = place;
    this.#registry = registry;
    this.#options = options;
    this.#credential = this.#newCredential();
  }

  /** The digest of what a tag names; undefined when there is no such tag. */
  async digest(tag: string, signal: AbortSignal): Promise<string | undefined> {
    const url = this.#manifestUrl(tag);
    const head = await this.#registry.headAuthorized(url, { accept: acceptManifests }, this.#credential, signal);
    if (head.status === 404) return undefined;
    const named = requireStatus(url, head, 200).header('docker-content-digest');
    // By another digest than the one that is computed here, a tag would be another image each time.
    if (named !== undefined && /^sha256:[0-9a-f]{64}$/.test(named)) return named;
    return (await this.manifest(tag, signal)).digest;
  }

  /** By tag or digest. Throws SOURCE_STATUS, SOURCE_UNREACHABLE, DIGEST_MISMATCH. */
  async manifest(reference: string, signal: AbortSignal): Promise<ReadManifest> {
    const url = this.#manifestUrl(reference);
    const answer = await this.#registry.getAuthorized(url, { accept: acceptManifests }, this.#credential, signal);
    const { body: text } = requireStatus(url, answer, 200);
    const digest = `sha256:${createHash('sha256').update(text).digest('hex')}`;
    if (reference.startsWith('sha256:') && reference !== digest)
      throw new DragonflyError('DIGEST_MISMATCH', `${url} is not what its digest says`);
    const told = /"mediaType"\s*:\s*"([^"]+)"/.exec(text)?.[1];
    const named = answer.header('content-type')?.split(';')[0]?.trim();
    return { text, digest, mediaType: named ?? told ?? manifestMediaTypes[1] };
  }

  async putManifest(
    reference: string,
    { text, mediaType }: Pick<ReadManifest, 'text' | 'mediaType'>,
    signal: AbortSignal,
  ): Promise<void> {
    const url = this.#manifestUrl(reference);
    const sent = { header: { 'content-type': mediaType }, body: text };
    requireStatus(url, await this.#write('PUT', new URL(url), sent, signal), 201);
  }

  async hasBlob(digest: string, signal: AbortSignal): Promise<boolean> {
    const url = blobUrl(this.#reference, digest);
    const head = await this.#registry.headAuthorized(url, {}, this.#credential, signal);
    if (head.status === 404) return false;
    requireStatus(url, head, 200);
    return true;
  }

  /** From this byte on; of a source that knows no ranges all of it. Throws SOURCE_STATUS, SOURCE_UNREACHABLE, PROTOCOL. */
  async openBlob(digest: string, offset: number, signal: AbortSignal): Promise<BlobRest> {
    const url = blobUrl(this.#reference, digest);
    const asked: Record<string, string> = { 'accept-encoding': 'identity' };
    if (offset > 0) asked['range'] = `bytes=${offset}-`;
    const { status, header, content } = await this.#registry.openAuthorized(url, asked, this.#credential, signal);
    try {
      requireStatus(url, { status, header, body: '', foreign: false }, status === 206 && offset > 0 ? 206 : 200);
      const skipBytes = status === 206 ? 0 : offset;
      const first = status === 206 ? /^bytes (\d{1,15})-/.exec(header('content-range') ?? '')?.[1] : undefined;
      if (first !== undefined && Number(first) !== offset)
        throw new DragonflyError(
          'PROTOCOL',
          `${new URL(url).host} was asked for byte ${offset} and sent byte ${first}`,
        );
      const length = /^\d{1,15}$/.exec(header('content-length') ?? '')?.[0];
      return { content, skipBytes, lengthBytes: length === undefined ? undefined : Number(length) - skipBytes };
    } catch (error) {
      content.on('error', () => undefined).destroy();
      throw error;
    }
  }

  /** @returns where its bytes go. */
  async beginUpload(signal: AbortSignal): Promise<URL> {
    const url = new URL(`/v2/${this.place.name}/blobs/uploads/`, this.place.registry);
    const answer = await this.#write('POST', url, { header: {}, body: '' }, signal);
    return this.uploadUrl(url, requireStatus(url.href, answer, 202));
  }

  /**
   * The blob comes from another repository of this registry, which has it. @returns true when it is here, and where its bytes go when
   * the registry wants them nevertheless; undefined when it answers neither.
   */
  async mountBlob(digest: string, from: string, signal: AbortSignal): Promise<true | URL | undefined> {
    const url = new URL(`/v2/${this.place.name}/blobs/uploads/`, this.place.registry);
    url.search = String(new URLSearchParams({ mount: digest, from }));
    const credential = this.#newCredential(from);
    const answer = await this.#registry.writeAuthorized('POST', url, { header: {}, body: '' }, credential, signal);
    if (answer.status === 201) return true;
    return answer.status === 202 ? this.uploadUrl(url, answer) : undefined;
  }

  /** The next request of an upload goes to this registry: what it says names no other host, which would get its credential. */
  uploadUrl(asked: URL, answer: RegistryAnswer): URL {
    const location = answer.header('location') ?? '';
    const next = URL.canParse(location, asked.href) ? new URL(location, asked) : undefined;
    // Behind a balancer that ends TLS, registries name themselves without.
    if (next && /^https?:$/.test(next.protocol)) next.protocol = asked.protocol;
    if (next?.origin === asked.origin) return next;
    throw new DragonflyError('PROTOCOL', `${asked.host} wants an upload to go on at another host`);
  }

  write(
    method: 'PATCH' | 'PUT',
    url: URL,
    sent: Parameters<RegistryClient['writeAuthorized']>[2],
    signal: AbortSignal,
  ): Promise<RegistryAnswer> {
    return this.#write(method, url, sent, signal);
  }

  /** What it got of the upload takes no room any more. Registries that know no such request forget it when it is old. */
  async dropUpload(url: URL, signal: AbortSignal): Promise<void> {
    await this.#registry.writeAuthorized('DELETE', url, { header: {} }, this.#credential, signal);
  }

  ask(url: URL, signal: AbortSignal): Promise<RegistryAnswer> {
    return this.#registry.getAuthorized(url.href, {}, this.#credential, signal);
  }

  #write(
    method: 'POST' | 'PATCH' | 'PUT',
    url: URL,
    sent: Parameters<RegistryClient['writeAuthorized']>[2],
    signal: AbortSignal,
  ): Promise<RegistryAnswer> {
    return this.#registry.writeAuthorized(method, url, sent, this.#credential, signal);
  }

  #newCredential(readsToo?: string): RegistryCredential {
    const { registry, name } = this.place;
    const options = readsToo === undefined ? this.#options : { ...this.#options, readsToo };
    return new RegistryCredential(this.#registry, { origin: new URL(registry), repository: name }, options);
  }

  get #reference() {
    return { ...this.place, reference: '' };
  }

  #manifestUrl(reference: string): string {
    return manifestUrl({ ...this.place, reference });
  }
}
