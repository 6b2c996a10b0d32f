/** One name at one path: fetches versions, switches to them, runs the operator's command, and reports to the manager. */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isSignedBy } from '../../core/credentials/release-signature.ts';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import type { Release } from '../../../gen/manager/v2/release.ts';
import { chunksOf, type ChunkPlace } from '../../swarm/releases/fetch-plan.ts';
import type { ReleaseDaemon } from '../releases/release-daemon.ts';
import { runHook } from './hook.ts';
import { install, isIntact } from './install.ts';
import { VersionsDirectory } from './versions-directory.ts';

export interface SubscriptionOptions {
  readonly daemon: ReleaseDaemon;
  readonly name: string;
  /** Becomes a link to the current version. */
  readonly path: string;
  /** How many versions stay here, including the current one. */
  readonly keep: number;
  /** The version must be signed by one of these keys; when there are none, no signature is required. */
  readonly requiredKeys: readonly string[];
  readonly hook: { readonly command: string; readonly timeoutMs: number } | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly onExpect: (bytes: number) => void;
  readonly onBytes: (bytes: number) => void;
  readonly onSwitched: (release: Release) => void;
  readonly signal: AbortSignal;
}

/** The maximum length of an error in a report, and how long a report may take, because no switch waits for a manager that is away. */
const reportErrorLength = 2_000;
const reportTimeoutMs = 2_000;

export class Subscription {
  readonly #options: SubscriptionOptions;

  constructor(options: SubscriptionOptions) {
    this.#options = options;
  }

  /** The id of the newest version that was handled here. */
  async followed(): Promise<number> {
    using directory = await this.#open();
    return directory.followed;
  }

  /** Runs the command for the current version if it has not succeeded for it yet. */
  async resume(): Promise<void> {
    const { hook, name } = this.#options;
    using directory = await this.#open();
    const { current } = directory;
    if (hook && current !== undefined) await this.#runHook({ name, version: current }, current, directory);
  }

  /**
   * The version is in use, verified, when this resolves. @param followed newest version there is; it is not gone on to afterwards.
   * Throws PERMISSION_DENIED without a required signature, FAILED_PRECONDITION when the command fails, and what fetching throws.
   */
  async take(release: Release, followed = release.id): Promise<void> {
    const { signal } = this.#options;
    try {
      this.#requireSignature(release);
      using directory = await this.#open();
      if (!(await this.#isHere(release, directory))) {
        await this.#report(release, 'fetching');
        await this.#fetch(release, directory);
      }
      const { current: previous = '' } = directory;
      await directory.switchTo(release.version, followed);
      if (previous !== release.version) this.#options.onSwitched(release);
      await directory.keep(this.#options.keep);
      await this.#runHook(release, previous, directory);
      await this.#report(release, 'switched');
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      await this.#report(release, 'failed', toDragonflyError(error).message);
      throw error;
    }
  }

  #open(): Promise<VersionsDirectory> {
    return VersionsDirectory.open(this.#options.path, this.#options.name);
  }

  /** True when the version is kept here and unchanged. The current version is not read again at every start. */
  async #isHere({ version, manifestDigest }: Release, directory: VersionsDirectory): Promise<boolean> {
    const isKept = directory.kept.some((kept) => kept.version === version && kept.manifestDigest === manifestDigest);
    if (!isKept) return false;
    if (directory.current === version) return existsSync(directory.pathOf(version));
    const manifest = await directory.manifestOf(version);
    return manifest !== undefined && isIntact(manifest, directory.pathOf(version), this.#options.signal);
  }

  async #fetch(release: Release, directory: VersionsDirectory): Promise<void> {
    const { daemon, signal, onExpect, onBytes } = this.#options;
    const scratch = await directory.unfinished();
    const target = join(scratch, 'tree');
    await mkdir(target, { mode: 0o700 });
    const manifest = await daemon.manifest(release, join(scratch, 'manifest'), signal);
    onExpect(release.contentLength);
    const places = await chunksHere(directory);
    await install({
      manifest,
      target,
      scratch,
      local: (sha256) => places.get(sha256),
      fetch: (taskId, path, ended) => daemon.fetch(taskId, path, ended),
      onBytes,
      signal,
    });
    await directory.add(target, manifest, release.manifestDigest);
  }

  /** Runs once for every switch, and again at the next start if this program or the command did not finish. */
  async #runHook(
    { name, version }: Pick<Release, 'name' | 'version'>,
    previous: string,
    directory: VersionsDirectory,
  ): Promise<void> {
    const { hook, env, signal } = this.#options;
    if (!hook || (directory.told === version && previous === version)) return;
    const release = { name, version, previous: previous === version ? directory.told : previous };
    const places = { directory: directory.pathOf(version), link: directory.link };
    await runHook({ ...hook, env, release, ...places }, signal);
    await directory.markTold(version);
  }

  #requireSignature({ name, version, manifestDigest, publicKey, signature }: Release): void {
    const { requiredKeys } = this.#options;
    if (requiredKeys.length === 0) return;
    const isSigned =
      requiredKeys.includes(publicKey) && isSignedBy({ name, version, manifestDigest }, { publicKey, signature });
    if (isSigned) return;
    throw new DragonflyError('PERMISSION_DENIED', `${name}@${version} is not signed by a required key`, {
      hint: 'Publish it with --sign and the key that belongs to the one given with --require.',
    });
  }

  /** Never throws: the manager only displays the report. */
  async #report({ name, version }: Release, state: string, error = ''): Promise<void> {
    const { daemon, path, signal } = this.#options;
    const report = { name, version, path, state, error: error.slice(0, reportErrorLength), hostId: '' };
    await daemon.releases.reportRelease(report, { signal, timeoutMs: reportTimeoutMs }).catch(() => undefined);
  }
}

/** All chunks of the versions that are here. */
async function chunksHere(directory: VersionsDirectory): Promise<ReadonlyMap<string, ChunkPlace>> {
  const places = new Map<string, ChunkPlace>();
  for (const { version } of directory.kept) {
    const manifest = await directory.manifestOf(version);
    for (const entry of manifest?.entries ?? []) {
      if (entry.kind !== 'file' || !manifest) continue;
      const file = join(directory.pathOf(version), entry.path);
      for (const { chunk, offset } of chunksOf(entry, manifest.chunks))
        if (!places.has(chunk.sha256)) places.set(chunk.sha256, { file, offset });
    }
  }
  return places;
}
