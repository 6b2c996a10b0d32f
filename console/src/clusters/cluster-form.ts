/** A cluster as a form holds it, to and from what the API takes. */
import type { Problems } from '../components/use-form.ts';
import type { Translate } from '../i18n/text.ts';
import { blockFieldsOf, blockListOf, emptyBlockFields, type BlockFields } from './block-list.ts';
import { configOf, type Cluster, type ClusterBody } from './cluster-queries.ts';

export interface ClusterValues {
  readonly name: string;
  readonly bio: string;
  readonly is_default: boolean;
  readonly idcs: readonly string[];
  readonly location: string;
  readonly cidrs: readonly string[];
  readonly hostnames: readonly string[];
  readonly seed_load_limit: string;
  readonly peer_load_limit: string;
  readonly candidate_parent_limit: string;
  readonly filter_parent_limit: string;
  readonly job_rate_limit: string;
  readonly peer_blocks: BlockFields;
  readonly seed_blocks: BlockFields;
}

export const limits = {
  seed_load_limit: { min: 1, max: 50_000 },
  peer_load_limit: { min: 1, max: 2000 },
  candidate_parent_limit: { min: 1, max: 20 },
  filter_parent_limit: { min: 10, max: 1000 },
  job_rate_limit: { min: 1, max: 1_000_000 },
} as const;

export type LimitName = keyof typeof limits;
export const limitNames = Object.keys(limits) as LimitName[];

export const newCluster: ClusterValues = {
  name: '',
  bio: '',
  is_default: false,
  idcs: [],
  location: '',
  cidrs: [],
  hostnames: [],
  seed_load_limit: '2000',
  peer_load_limit: '200',
  candidate_parent_limit: '3',
  filter_parent_limit: '15',
  job_rate_limit: '10',
  peer_blocks: emptyBlockFields,
  seed_blocks: emptyBlockFields,
};

export function valuesOf(cluster: Cluster): ClusterValues {
  const { scopes, scheduler, seedPeer, peer } = configOf(cluster);
  const text = (value: number | undefined, name: LimitName): string =>
    value === undefined ? newCluster[name] : String(value);
  return {
    name: cluster.name,
    bio: cluster.bio,
    is_default: cluster.is_default,
    idcs: scopes.idc?.split('|').filter((idc) => idc !== '') ?? [],
    location: scopes.location ?? '',
    cidrs: scopes.cidrs ?? [],
    hostnames: scopes.hostnames ?? [],
    seed_load_limit: text(seedPeer.load_limit, 'seed_load_limit'),
    peer_load_limit: text(peer.load_limit, 'peer_load_limit'),
    candidate_parent_limit: text(scheduler.candidate_parent_limit, 'candidate_parent_limit'),
    filter_parent_limit: text(scheduler.filter_parent_limit, 'filter_parent_limit'),
    job_rate_limit: text(scheduler.job_rate_limit, 'job_rate_limit'),
    peer_blocks: blockFieldsOf(peer.block_list),
    seed_blocks: blockFieldsOf(seedPeer.block_list),
  };
}

/** `before`: the cluster being changed; settings this form does not know stay as they are. */
export function bodyOf(values: ClusterValues, before?: Cluster): ClusterBody {
  const old = before ? configOf(before) : { scopes: {}, scheduler: {}, seedPeer: {}, peer: {} };
  return {
    name: values.name.trim(),
    bio: values.bio.trim(),
    is_default: values.is_default,
    scopes: {
      ...old.scopes,
      idc: values.idcs.join('|'),
      location: values.location.trim(),
      cidrs: [...values.cidrs],
      hostnames: [...values.hostnames],
    },
    scheduler_cluster_config: {
      ...old.scheduler,
      candidate_parent_limit: Number(values.candidate_parent_limit),
      filter_parent_limit: Number(values.filter_parent_limit),
      job_rate_limit: Number(values.job_rate_limit),
    },
    seed_peer_cluster_config: {
      ...old.seedPeer,
      load_limit: Number(values.seed_load_limit),
      block_list: blockListOf(values.seed_blocks),
    },
    peer_cluster_config: {
      ...old.peer,
      load_limit: Number(values.peer_load_limit),
      block_list: blockListOf(values.peer_blocks),
    },
  };
}

export function problemsOf(values: ClusterValues, t: Translate): Problems<ClusterValues> {
  const ranges = limitNames.map((name) => {
    const { min, max } = limits[name];
    const value = Number(values[name]);
    const fits = values[name].trim() !== '' && Number.isInteger(value) && value >= min && value <= max;
    return [name, fits ? undefined : t('form.range', { min, max })] as const;
  });
  return {
    name: values.name.trim() === '' ? t('form.required') : undefined,
    cidrs: values.cidrs.every(looksLikeNetwork) ? undefined : t('clusters.badCidr'),
    ...Object.fromEntries(ranges),
  };
}

function looksLikeNetwork(text: string): boolean {
  return /^[0-9a-fA-F:.]+\/\d{1,3}$/.test(text);
}
