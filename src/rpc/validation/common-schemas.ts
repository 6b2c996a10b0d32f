import { maxPackedListBytes } from '../../core/bundle/limits.ts';
import { maxPieceLengthBytes, minPieceLengthBytes } from '../../core/piece-layout.ts';
import type {
  Download,
  Host,
  HuggingFace,
  KeptContent,
  Network,
  ObjectStorage,
  Piece,
  Range,
  StoredObject,
} from '../../../gen/common/v2/common.ts';
import * as rule from './rules.ts';

/** Pieces of one task: 64 MiB each make more than any file that exists. */
export const maxPieceNumber = 2 ** 24 - 1;

/** The original's bound is seven days; ours is for versions with a longer life. Services of the original reject anything beyond their own bound. */
export const longestTtlSeconds = 1_830 * 86_400;

export const pieceLength = rule.between(minPieceLengthBytes, maxPieceLengthBytes);

export const safeLength = rule.between(0, Number.MAX_SAFE_INTEGER);

const range = rule.schema<Range>({ start: safeLength, length: safeLength });

const hub = rule.schema<HuggingFace>({ revision: rule.text(), baseUrl: rule.optional(rule.url) });

export const download = rule.schema<Download>({
  url: rule.url,
  digest: rule.optional(rule.digest),
  range: rule.message(range),
  type: rule.between(0, 3),
  tag: rule.optional(rule.text()),
  application: rule.optional(rule.text()),
  priority: rule.between(0, 6),
  filteredQueryParams: rule.each(rule.text(), 512),
  pieceLength: rule.optional(pieceLength),
  outputPath: rule.optional(rule.text(4096)),
  timeout: rule.anyDuration,
  certificateChain: rule.each(rule.required, 64),
  remoteIp: rule.optional(rule.ip),
  concurrentPieceCount: rule.optional(rule.between(1, 10_000)),
  actualPieceLength: rule.optional(rule.between(1, maxPieceLengthBytes)),
  actualContentLength: rule.optional(safeLength),
  actualPieceCount: rule.optional(rule.between(0, maxPieceNumber + 1)),
  huggingFace: rule.message(hub),
  modelScope: rule.message(hub),
  openCsg: rule.message(hub),
  bundle: rule.optional(rule.bytes(maxPackedListBytes)),
});

export const piece = rule.schema<Piece>({
  number: rule.between(0, maxPieceNumber),
  parentId: rule.optional(rule.peerId),
  offset: safeLength,
  length: rule.between(0, maxPieceLengthBytes),
  digest: rule.optional(rule.text(160)),
  trafficType: rule.optional(rule.between(0, 2)),
  cost: rule.anyDuration,
});

const network = rule.schema<Network>({ location: rule.optional(rule.text()), idc: rule.optional(rule.text()) });

export const host = rule.schema<Host>({
  id: rule.hostId,
  type: rule.between(0, 3),
  hostname: rule.text(253),
  ip: rule.ip,
  port: rule.port,
  downloadPort: rule.optional(rule.port),
  proxyPort: rule.optional(rule.port),
  network: rule.message(network),
});

export const commonSchemas: Readonly<Record<string, rule.MessageSchema>> = {
  'common.v2.Download': download,
  'common.v2.Piece': piece,
  'common.v2.Host': host,
};

export const objectStorage = rule.schema<ObjectStorage>({
  region: rule.optional(rule.text()),
  endpoint: rule.optional(rule.text(4096)),
});

const storedObject = rule.schema<StoredObject>({
  url: rule.url,
  region: rule.text(),
  endpoint: rule.text(4096),
  state: rule.oneOf('stored', 'pending', 'replicas'),
  etag: rule.optional(rule.text()),
});

export const keptContent = rule.schema<KeptContent>({
  replicaCount: rule.between(1, 1000),
  createdAt: rule.required,
  ttl: rule.duration(60, longestTtlSeconds),
  contentLength: safeLength,
  pieceLength,
  tag: rule.optional(rule.text()),
  application: rule.optional(rule.text()),
  digest: rule.optional(rule.digest),
  owner: rule.optional(rule.text()),
  object: rule.message(storedObject),
});
