/** What the manager's event streams say. */
import type { Schemas } from '../api/client.ts';

export type TaskSummary = Schemas['LiveTask'];

export interface ClusterTraffic {
  readonly scheduler_cluster_id: number;
  /** Totals since the cluster's schedulers started. */
  readonly origin_bytes: number;
  readonly peer_bytes: number;
  readonly hosts: number;
  readonly peers_running: number;
}

/** What came since the step before. */
export interface TrafficStep {
  readonly at: number;
  readonly origin_bytes: number;
  readonly peer_bytes: number;
}

/** The same host may be known in several clusters. */
export type NodeKey = Pick<Schemas['Node'], 'id' | 'scheduler_cluster_id'>;

/** The same content may be distributed in several clusters, each by itself. */
export type TaskKey = Pick<TaskSummary, 'id' | 'scheduler_cluster_id'>;

export interface LiveEventMap {
  readonly change: { readonly topic: string; readonly ids: readonly number[] };
  readonly traffic: {
    readonly at: number;
    readonly grown: TrafficStep;
    readonly clusters: readonly ClusterTraffic[];
  };
  readonly history: { readonly steps: readonly TrafficStep[] };
  readonly tasks: { readonly changed: readonly TaskSummary[]; readonly removed: readonly TaskKey[] };
  readonly nodes: { readonly changed: readonly Schemas['Node'][]; readonly removed: readonly NodeKey[] };
  readonly reset: object;
}

export interface PeerState {
  readonly id: string;
  readonly host_id: string;
  readonly host_name: string;
  readonly ip: string;
  readonly idc: string;
  readonly location: string;
  readonly type: 'seed' | 'normal';
  readonly state: string;
  readonly finished_pieces: number;
  readonly origin_pieces: number;
  /** 0: not yet. */
  readonly started_at_ms: number;
  readonly finished_at_ms: number;
}

/** Pieces that moved from one peer to another so far. */
export interface PieceLink {
  readonly parent_id: string;
  readonly child_id: string;
  readonly pieces: number;
  readonly open: boolean;
}

export interface TaskFrame {
  readonly task: TaskSummary;
  readonly peers: readonly PeerState[];
  readonly removed: readonly string[];
  readonly links: readonly PieceLink[];
}

export interface TaskEventMap {
  readonly snapshot: TaskFrame;
  readonly delta: TaskFrame;
  /** No scheduler knows the task right now. */
  readonly absent: object;
}
