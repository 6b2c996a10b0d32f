/** The job calls of scheduler.v2 for images. The blobs of a manifest are treated like other files. */
import type { CallContext } from '../../rpc/call-context.ts';
import { Download } from '../../../gen/common/v2/common.ts';
import type {
  Layer,
  PreheatImageRequest,
  PreheatResponse,
  StatImageRequest,
  StatImageResponse,
} from '../../../gen/scheduler/v2/scheduler.ts';
import { findImage } from '../../rpc/registry/image.ts';
import type { RegistryClient } from '../../rpc/registry/registry-client.ts';
import { defaultConcurrentLayers } from '../limits.ts';
import { msFromDuration } from '../messages.ts';
import { eachLimited } from './each-limited.ts';
import { answer, withTimeout } from './preheat-rpc.ts';
import type { Preheater } from './preheater.ts';

export interface ImageParts {
  readonly preheater: Preheater;
  readonly registry: RegistryClient;
  /** The way the cluster's proxies name blobs. */
  readonly blobsByUrl: () => boolean;
}

export async function preheatImage(
  { preheater, registry, blobsByUrl }: ImageParts,
  request: PreheatImageRequest,
  context: CallContext,
): Promise<PreheatResponse> {
  preheater.admit();
  const { blobs, freshHeader } = await find(registry, request, context.signal);
  const urls = blobs.map(({ url }) => url);
  const download = Download.fromPartial({
    url: urls[0] ?? '',
    remoteIp: context.peerHost,
    ...(request.tag === undefined ? {} : { tag: request.tag }),
    ...(request.application === undefined ? {} : { application: request.application }),
    ...(request.pieceLength === undefined ? {} : { pieceLength: request.pieceLength }),
    priority: request.priority,
    filteredQueryParams: request.filteredQueryParams,
    certificateChain: request.certificateChain,
    enableTaskIdBasedBlobDigest: !blobsByUrl(),
  });
  const work = preheater.start({ ...request, urls, download, freshHeader, timeoutMs: msFromDuration(request.timeout) });
  return answer(work, request.waitForCompletion);
}

export async function statImage(
  { preheater, registry, blobsByUrl }: ImageParts,
  request: StatImageRequest,
  context: CallContext,
): Promise<StatImageResponse> {
  const signal = withTimeout(context.signal, msFromDuration(request.timeout));
  const { blobs } = await find(registry, request, signal);
  const urls = blobs.map(({ url }) => url);
  const { concurrentPeerCount, concurrentLayerCount = defaultConcurrentLayers } = request;
  const identity = { ...request, blobDigestAsId: !blobsByUrl() };
  const peers = new Map<string, { ip: string; hostname: string; cachedLayers: Layer[] }>();
  await eachLimited(urls, concurrentLayerCount, async (url) => {
    for (const { id, ip, hostname } of await preheater.holders(url, identity, { concurrentPeerCount, signal })) {
      const peer = peers.get(id) ?? { ip, hostname, cachedLayers: [] };
      peers.set(id, peer);
      peer.cachedLayers.push({ url, isFinished: true });
    }
  });
  return { image: { layers: urls.map((url) => ({ url })) }, peers: [...peers.values()] };
}

function find(registry: RegistryClient, request: PreheatImageRequest | StatImageRequest, signal: AbortSignal) {
  const { url, header, username, password, platform = ownPlatform() } = request;
  return findImage(registry, { url, headers: header, username, password, platform }, signal);
}

/** Nodes usually have the same platform as this process. */
function ownPlatform(): string {
  const architectures: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' };
  return `linux/${architectures[process.arch] ?? process.arch}`;
}
