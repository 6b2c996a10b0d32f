/** Opens the configured doors on the proxy's port. */
import { PieceHasher } from '../../task/proof/piece-hasher.ts';
import type { DownloadDefaults } from '../content/download-request.ts';
import type { PeerAnswers } from '../content/peers.ts';
import type { SharedProofs } from '../proof/shared-proofs.ts';
import type { ProxyServerOptions } from '../proxy-server.ts';
import type { Upstream } from '../wire/upstream.ts';
import type { Door } from './door.ts';
import { HubWords } from './hub-words.ts';
import { HuggingFaceDoor, type HuggingFaceDoorOptions } from './hugging-face.ts';
import { ModelScopeDoor } from './model-scope.ts';
import { WellKnown } from './well-known.ts';
import { ToldRuns } from './xet/told-runs.ts';
import { XorbChecker } from './xet/xorb-checker.ts';

export interface DoorParts {
  readonly owned: DisposableStack;
  /** Clients have to authenticate to the proxy. */
  readonly signIn: boolean;
  readonly peers: PeerAnswers;
  readonly upstream: Upstream;
  readonly defaults: DownloadDefaults;
  readonly shared: SharedProofs;
}

export async function openDoors(options: ProxyServerOptions, parts: DoorParts): Promise<Door[]> {
  const { config, doors, s3Door } = options;
  const { peers, upstream, defaults, shared } = parts;
  const paths: Record<string, string> = {};
  const hubs: Door[] = [];
  const words = (name: 'huggingface' | 'modelscope'): HubWords => {
    const { ttl: ttlMs = 0, shareAnswers: believed = false } = doors?.[name] ?? {};
    return new HubWords({ shared, believed, ttlMs, commitTtlMs: config.access.ttl });
  };
  const common = { peers, tasks: peers.tasks, upstream, defaults };
  if (doors?.huggingface.enable === true) {
    const { endpoint } = doors.huggingface;
    const xet = doors.huggingface.xet === 'native' ? await openXet(options, parts, endpoint) : undefined;
    hubs.push(new HuggingFaceDoor({ ...common, endpoint, words: words('huggingface'), xet }));
    paths['huggingface'] = HuggingFaceDoor.path;
  }
  if (doors?.modelscope.enable === true) {
    const { endpoint } = doors.modelscope;
    hubs.push(new ModelScopeDoor({ ...common, endpoint, words: words('modelscope') }));
    paths['modelscope'] = ModelScopeDoor.path;
  }
  return [...hubs, new WellKnown({ paths, s3: s3Door })];
}

/** Undefined where chunks could not be served to all clients, who then get whole files. */
async function openXet(
  { engine, stored, logger }: ProxyServerOptions,
  { owned, signIn, shared }: DoorParts,
  endpoint: string,
): Promise<HuggingFaceDoorOptions['xet']> {
  const why = await reasonAgainst({ stored, signIn });
  if (why !== undefined || !stored) {
    logger.warn({ key: 'doors.huggingface.xet' }, `files are given as a whole, not in chunks: ${why}`);
    return undefined;
  }
  const checker = owned.use(new XorbChecker());
  return { engine, stored, checker, told: new ToldRuns(shared, new URL(endpoint)), logger };
}

async function reasonAgainst({
  stored,
  signIn,
}: Pick<ProxyServerOptions, 'stored'> & Pick<DoorParts, 'signIn'>): Promise<string | undefined> {
  if (!stored) return 'what this node holds is not known to its proxy';
  if (signIn) return 'clients have to sign in at the proxy, which they do not where they fetch chunks';
  if (!(await PieceHasher.isAvailable())) return 'BLAKE3 is not built for this platform';
  return undefined;
}
