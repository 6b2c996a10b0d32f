/** The job calls of scheduler.v2 for images: the blobs of the manifest are files like others. */
import { parsePlatform } from '../../core/oci/manifest.ts';
import { blobUrl, parseManifestUrl } from '../../core/oci/reference.ts';
import type { CallContext } from '../../rpc/call-context.ts';
import { Download } from '../../rpc/generated/common/v2/common.ts';
import type {
  Layer,
  PreheatImageRequest,
  PreheatResponse,
  StatImageRequest,
  StatImageResponse,
} from '../../rpc/generated/scheduler/v2/scheduler.ts';
import type { RegistryClient } from '../../rpc/registry/registry-client.ts';
import { RegistryCredential } from '../../rpc/registry/registry-credential.ts';
import { defaultConcurrentLayers } from '../limits.ts';
import { msFromDuration } from '../messages.ts';
import { eachLimited } from './each-limited.ts';
import { answer, withTimeout } from './preheat-rpc.ts';
import type { Preheater } from './preheater.ts';

export interface ImageParts {
  readonly preheater: Preheater;
  readonly registry: RegistryClient;
}

export async function preheatImage(
  { preheater, registry }: ImageParts,
  request: PreheatImageRequest,
  context: CallContext,
): Promise<PreheatResponse> {
  preheater.admit();
  const { urls, freshHeader } = await imageBlobs(registry, request, context.signal);
  const download = Download.fromPartial({
    url: urls[0] ?? '',
    ...(request.tag === undefined ? {} : { tag: request.tag }),
    ...(request.application === undefined ? {} : { application: request.application }),
    ...(request.pieceLength === undefined ? {} : { pieceLength: request.pieceLength }),
    priority: request.priority,
    filteredQueryParams: request.filteredQueryParams,
    certificateChain: request.certificateChain,
    enableTaskIdBasedBlobDigest: true,
  });
  const work = preheater.start({ ...request, urls, download, freshHeader, timeoutMs: msFromDuration(request.timeout) });
  return answer(work, request.waitForCompletion);
}

export async function statImage(
  { preheater, registry }: ImageParts,
  request: StatImageRequest,
  context: CallContext,
): Promise<StatImageResponse> {
  const signal = withTimeout(context.signal, msFromDuration(request.timeout));
  const { urls } = await imageBlobs(registry, request, signal);
  const { concurrentPeerCount, concurrentLayerCount = defaultConcurrentLayers } = request;
  const peers = new Map<string, { ip: string; hostname: string; cachedLayers: Layer[] }>();
  await eachLimited(urls, concurrentLayerCount, async (url) => {
    for (const { id, ip, hostname } of await preheater.holders(url, request, { concurrentPeerCount, signal })) {
      const peer = peers.get(id) ?? { ip, hostname, cachedLayers: [] };
      peers.set(id, peer);
      peer.cachedLayers.push({ url, isFinished: true });
    }
  });
  return { image: { layers: urls.map((url) => ({ url })) }, peers: [...peers.values()] };
}

/** URLs of all blobs for the platform, and the headers that fetch them, with a token renewed when needed. */
async function imageBlobs(
  registry: RegistryClient,
  request: PreheatImageRequest | StatImageRequest,
  signal: AbortSignal,
): Promise<{ urls: string[]; freshHeader: (signal: AbortSignal) => Promise<Record<string, string>> }> {
  const reference = parseManifestUrl(request.url);
  const isAuthorization = (name: string): boolean => name.toLowerCase() === 'authorization';
  const header = Object.fromEntries(Object.entries(request.header).filter(([name]) => !isAuthorization(name)));
  const given = Object.entries(request.header).find(([name]) => isAuthorization(name))?.[1];
  const { username, password = '' } = request;
  const login = username === undefined ? undefined : { username, password };
  const credential = new RegistryCredential(registry, reference.name, { given, login });
  const platform = parsePlatform(request.platform ?? ownPlatform());
  const blobs = await registry.imageBlobs(reference, platform, { header, credential, signal });
  return {
    urls: blobs.map(({ digest }) => blobUrl(reference, digest)),
    freshHeader: async (abort) => {
      const authorization = await credential.authorization(abort);
      return authorization === undefined ? header : { ...header, authorization };
    },
  };
}

/** Nodes are most often like the one this runs on. */
function ownPlatform(): string {
  const architectures: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' };
  return `linux/${architectures[process.arch] ?? process.arch}`;
}
