/** Who calls the port for other nodes: by certificate, else a service of the control plane by the address it is known to have. */
import type { Caller } from '../../rpc/caller.ts';
import { recognizeByCertificate, type CallerFacts } from '../../rpc/rights.ts';
import type { ControlPlane } from '../control-plane.ts';

export function recognizeMember(facts: CallerFacts, known: Pick<ControlPlane, 'roleAt'>): Caller {
  const caller = recognizeByCertificate(facts);
  if (caller.kind === 'member') return caller;
  const role = known.roleAt(facts.address);
  if (role === undefined) return caller;
  const { address, onThisMachine } = facts;
  return { kind: 'member', role, hostId: undefined, clusterId: undefined, proof: 'address', address, onThisMachine };
}
