/** Bounds of the keeper of replicas, with their units and reasons. */

export interface ReplicaLimits {
  /** Records of kept tasks, about 1 KiB each. */
  readonly maxTasks: number;
  /** Replicas one task may ask for: each is a copy of everything. */
  readonly maxReplicas: number;
  /** Replicas being made at once: the death of a host with thousands of them must not start thousands of downloads. */
  readonly maxMaking: number;
  /** A host that is gone for a restart comes back with what it holds; after so long its replicas are made elsewhere. */
  readonly returnMs: number;
  /** An upload that waits for its replicas while no host can take one fails after so long: hosts may be about to announce themselves. */
  readonly patienceMs: number;
  /** A host that failed to make a replica is not asked again for that task within this time; doubled with each failure. */
  readonly retryMs: number;
  readonly mostRetryMs: number;
  /** A deleted task whose time would not have run out, since its store did not have it, is remembered for so long. */
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
