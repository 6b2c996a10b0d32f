/**
 * Identifies the caller of the port for other nodes: by certificate, otherwise by the key of a service, otherwise by the known
 * address of a service without a key.
 */
import { withDeadline } from '../../core/process/lifecycle.ts';
import type { Caller, Member } from '../../rpc/server/caller.ts';
import { provenKey } from '../../rpc/control-key.ts';
import { recognizeByCertificate, type CallerFacts } from '../../rpc/rights.ts';
import type { ControlPlane, ControlRole } from '../cluster/control-plane.ts';
import { daemonLimits } from '../limits.ts';

/** A scheduler may give work only to nodes of its own cluster. */
function isForeign({ role, clusterId = 0 }: Member, controlPlane: ControlPlane): boolean {
  return role === 'scheduler' && controlPlane.clusterId !== 0 && clusterId !== controlPlane.clusterId;
}

/** @param ownAddress of the port, as this daemon announces it. */
export async function recognizeMember(
  facts: CallerFacts,
  { controlPlane, ownAddress }: { readonly controlPlane: ControlPlane; readonly ownAddress: string },
): Promise<Caller> {
  const caller = recognizeByCertificate(facts);
  if (caller.kind === 'member') return isForeign(caller, controlPlane) ? { ...caller, role: 'peer' } : caller;
  const { address, onThisMachine } = facts;
  const member = (role: ControlRole, proof: Member['proof']): Member => {
    return { kind: 'member', role, hostId: undefined, clusterId: undefined, proof, address, onThisMachine };
  };
  const key = provenKey(facts.metadata, ownAddress);
  if (key !== undefined) {
    // A scheduler that has just started may call before this node has read its response to the announcement.
    if (controlPlane.roleOfKey(key) === undefined) await withDeadline(controlPlane.news, daemonLimits.newKeyMs);
    const role = controlPlane.roleOfKey(key);
    if (role !== undefined) return member(role, 'key');
  }
  const role = controlPlane.roleAt(address);
  return role === undefined ? caller : member(role, 'address');
}
