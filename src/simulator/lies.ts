/**
 * A member of a simulated cluster that has been compromised: besides sending corrupt pieces, it tells its scheduler
 * whatever could harm others. The scheduler hears it by the same calls as any member.
 */
import { DragonflyError } from '../core/errors.ts';
import type { Decision } from '../swarm/shared/decisions.ts';
import { digestBytes } from '../swarm/shared/piece-digests.ts';
import { PieceSet } from '../swarm/shared/piece-set.ts';
import type { Swarm } from '../swarm/scheduler/swarm.ts';
import type { SimulatedCluster } from './simulated-cluster.ts';
import type { SimulatedDaemon } from './simulated-daemon.ts';

const spanMs = 4000;
const liesPerRun = 40;

type Lie = (swarm: Swarm, nowMs: number) => Decision[];

/** The host that lies. Seeds come first, and are honest. */
export function liarIndex({ seeds, peers, seed }: { seeds: number; peers: number; seed: number }): number {
  return seeds + (seed % peers);
}

export function planLies(cluster: SimulatedCluster): void {
  const { world, scheduler, daemons } = cluster;
  const liar = daemons[liarIndex(world.options)];
  if (!liar) return;
  for (let count = 0; count < liesPerRun; count += 1) {
    const lie = randomLie(cluster, liar);
    world.at(world.random() * spanMs, () => {
      if (liar.alive && liar.registered) scheduler.tell(liar, (swarm, nowMs) => told(swarm, nowMs, lie));
    });
  }
}

/** An impossible report is refused to its sender, as it would be over the network. */
function told(swarm: Swarm, nowMs: number, lie: Lie): Decision[] {
  try {
    return lie(swarm, nowMs);
  } catch (error) {
    if (error instanceof DragonflyError) return [];
    throw error;
  }
}

function randomLie({ world, daemons }: SimulatedCluster, liar: SimulatedDaemon): Lie {
  const { pieceCount, layout } = world;
  const piece = Math.floor(world.random() * pieceCount);
  const accused = daemons[Math.floor(world.random() * daemons.length)] ?? liar;
  const lies: readonly Lie[] = [
    (swarm, nowMs) => swarm.pieceFailed(liar.peerId, accused.peerId, 'corrupt', nowMs, piece),
    (swarm, nowMs) => swarm.pieceFailed(liar.peerId, accused.peerId, 'not-held', nowMs, piece),
    (swarm, nowMs) => swarm.pieceFailed(liar.peerId, accused.peerId, 'temporary', nowMs),
    (swarm, nowMs) =>
      swarm.piecesFinished(liar.peerId, { pieces: PieceSet.range(0, pieceCount), from: 'local' }, nowMs),
    (swarm, nowMs) => swarm.piecesFinished(liar.peerId, { pieces: [piece], from: 'source' }, nowMs),
    (swarm, nowMs) => swarm.taskMetadata(liar.peerId, { ...layout, contentLengthBytes: 1 }, nowMs),
    (swarm, nowMs) =>
      swarm.pieceDigests(
        liar.peerId,
        {
          first: piece,
          digests: new Uint8Array(digestBytes).fill(1),
          validator: '',
          checked: world.random() < 0.5,
        },
        nowMs,
      ),
    (swarm, nowMs) => swarm.originConfirmed(liar.peerId, nowMs),
    (swarm, nowMs) => swarm.reschedule(liar.peerId, [accused.peerId], nowMs),
  ];
  return lies[Math.floor(world.random() * lies.length)] as Lie;
}
