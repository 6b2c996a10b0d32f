/** How many members there are and how many of them live: one row per question is enough to read the total. */
import { useQuery } from '@tanstack/react-query';
import { clustersQuery } from '../clusters/cluster-queries.ts';
import { peersQuery, schedulersQuery, seedPeersQuery } from '../members/member-queries.ts';
import { useMay } from '../session/use-session.ts';

export interface MemberCount {
  readonly total: number | undefined;
  readonly active: number | undefined;
}

export interface Health {
  readonly clusters: number | undefined;
  readonly schedulers: MemberCount;
  readonly seedPeers: MemberCount;
  readonly peers: MemberCount;
}

const one = { per_page: 1 } as const;
const active = { ...one, state: 'active' } as const;

export function useHealth(): Health {
  const clusters = useQuery({ ...clustersQuery(one), enabled: useMay('clusters', 'read') });
  const seesSchedulers = useMay('schedulers', 'read');
  const seesSeedPeers = useMay('seed-peers', 'read');
  const seesPeers = useMay('peers', 'read');
  const schedulers = useQuery({ ...schedulersQuery(one), enabled: seesSchedulers });
  const activeSchedulers = useQuery({ ...schedulersQuery(active), enabled: seesSchedulers });
  const seedPeers = useQuery({ ...seedPeersQuery(one), enabled: seesSeedPeers });
  const activeSeedPeers = useQuery({ ...seedPeersQuery(active), enabled: seesSeedPeers });
  const peers = useQuery({ ...peersQuery(one), enabled: seesPeers });
  const activePeers = useQuery({ ...peersQuery(active), enabled: seesPeers });
  return {
    clusters: clusters.data?.total,
    schedulers: { total: schedulers.data?.total, active: activeSchedulers.data?.total },
    seedPeers: { total: seedPeers.data?.total, active: activeSeedPeers.data?.total },
    peers: { total: peers.data?.total, active: activePeers.data?.total },
  };
}
