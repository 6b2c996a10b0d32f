/** Bounds of the keeper of replicas, with their units and reasons. */

export interface ReplicaLimits {
  /** Records of kept tasks, about 1 KiB each. */
  readonly maxTasks: number;
  /** Replicas that one task may ask for: each is a complete copy. */
  readonly maxReplicas: number;
  /** Replicas made at the same time: the loss of a host with thousands of them must not start thousands of downloads. */
  readonly maxMaking: number;
  /** A restarting host returns with what it holds; after this time its replicas are made elsewhere. */
  readonly returnMs: number;
  /** An upload that waits for replicas while no host can take one fails after this time: hosts may be about to announce themselves. */
  readonly patienceMs: number;
  /** A host that failed to make a replica is not asked again for that task within this time; doubled with each failure. */
  readonly retryMs: number;
  readonly mostRetryMs: number;
  /** How long a deleted task is remembered that would not have expired because its store did not have it. */
  readonly rememberMs: number;
  /** Deleted tasks that are remembered, so that a host which was away does not bring them back. */
  readonly maxDeleted: number;
}

export const defaultReplicaLimits: ReplicaLimits = {
  maxTasks: 100_000,
  maxReplicas: 64,
  maxMaking: 64,
  returnMs: 30_000,
  patienceMs: 5_000,
  retryMs: 10_000,
  mostRetryMs: 600_000,
  rememberMs: 7 * 86_400_000,
  maxDeleted: 100_000,
};
