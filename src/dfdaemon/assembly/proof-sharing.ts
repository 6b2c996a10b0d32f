/** How nodes share what origins told them: through their schedulers, and only when all of them have certificates. */
import type { Schedulers } from '../cluster/schedulers.ts';
import { SharedProofs, type ProofSharing } from '../proxy/proof/shared-proofs.ts';
import type { NodeLocal } from '../task/node-local.ts';
import type { DaemonNode } from './node.ts';

/** A shared proof grants access to content, so only nodes that authenticate each other by certificate exchange proofs. */
export function sharedProofs(
  { config, security: { grpcClient } }: DaemonNode,
  schedulers: Schedulers,
  nodeLocal: NodeLocal,
): SharedProofs {
  const sharing: ProofSharing | undefined = grpcClient && {
    isOwn: (url) => (schedulers.exists ? nodeLocal.check(url) : Promise.resolve(true)),
    askProof: (key, options) => schedulers.proofs.ask(key, options),
    lastProof: (key, signal) => schedulers.proofs.last(key, signal),
    tellOpenProof: (key, proof, ttlMs) => schedulers.proofs.tellOpen(key, proof, ttlMs),
    tellProof: (key, told) => schedulers.proofs.tell(key, told),
  };
  const clusterKey = grpcClient?.ca ?? Buffer.alloc(0);
  return new SharedProofs(sharing, { clusterKey, scope: config.proxy.access.shareProofs });
}
