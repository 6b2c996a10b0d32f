/**
 * Where everything stands: the origin on the left, and each data centre a disc of its peers, packed so that none overlap.
 * Inside a disc peers follow a sunflower's spiral, seeds first; a newcomer takes the next place, nobody moves.
 */
import type { PeerState } from '../events/event-types.ts';

export interface Spot {
  readonly x: number;
  readonly y: number;
}

export interface Zone extends Spot {
  readonly name: string;
  readonly radius: number;
  readonly size: number;
}

export interface Layout {
  readonly origin: Spot;
  readonly zones: readonly Zone[];
  readonly spots: ReadonlyMap<string, Spot>;
  readonly bounds: { readonly left: number; readonly top: number; readonly right: number; readonly bottom: number };
}

/** World units between neighbours. */
export const spacing = 16;
const goldenAngle = Math.PI * (3 - Math.sqrt(5));
/** Radius of a disc per square root of its peers. */
const growth = spacing * 0.72;
const zoneMargin = 40;
const originDistance = 70;
const placesTried = 4_000;

export function layoutOf(peers: Iterable<PeerState>): Layout {
  const byZone = new Map<string, PeerState[]>();
  for (const peer of peers) {
    const members = byZone.get(peer.idc);
    if (members) members.push(peer);
    else byZone.set(peer.idc, [peer]);
  }
  const groups = [...byZone].sort(([nameA, a], [nameB, b]) => b.length - a.length || nameA.localeCompare(nameB));
  const zones: Zone[] = [];
  const spots = new Map<string, Spot>();
  for (const [name, members] of groups) {
    const radius = growth * Math.sqrt(members.length + 0.3) + 12;
    const zone: Zone = { name, radius, size: members.length, ...freePlace(zones, radius) };
    zones.push(zone);
    members.sort((a, b) => Number(b.type === 'seed') - Number(a.type === 'seed'));
    members.forEach((peer, index) => spots.set(peer.id, spiral(zone, index)));
  }
  const bounds = boundsOf(zones);
  const origin = { x: bounds.left - originDistance, y: (bounds.top + bounds.bottom) / 2 };
  return { origin, zones, spots, bounds: { ...bounds, left: origin.x - 26 } };
}

function spiral({ x, y }: Spot, index: number): Spot {
  const radius = growth * Math.sqrt(index + 0.3);
  const angle = index * goldenAngle;
  return { x: x + radius * Math.cos(angle), y: y + radius * Math.sin(angle) };
}

/** The first place along an outward spiral where a disc of that radius touches no other. */
function freePlace(zones: readonly Zone[], radius: number): Spot {
  for (let step = 0; step < placesTried; step += 1) {
    const distance = step * 6;
    const place = { x: distance * Math.cos(step * 0.35) * 1.5, y: distance * Math.sin(step * 0.35) };
    const free = zones.every(
      (zone) => Math.hypot(zone.x - place.x, zone.y - place.y) >= zone.radius + radius + zoneMargin,
    );
    if (free) return place;
  }
  return { x: placesTried * 6, y: 0 };
}

function boundsOf(zones: readonly Zone[]): { left: number; top: number; right: number; bottom: number } {
  if (zones.length === 0) return { left: -100, top: -60, right: 100, bottom: 60 };
  return {
    left: Math.min(...zones.map(({ x, radius }) => x - radius)) - 12,
    top: Math.min(...zones.map(({ y, radius }) => y - radius)) - 30,
    right: Math.max(...zones.map(({ x, radius }) => x + radius)) + 12,
    bottom: Math.max(...zones.map(({ y, radius }) => y + radius)) + 12,
  };
}
