/** Where the next replica goes: as far from the others as possible, then where there is most space. Pure. */

export interface HostPlace {
  readonly hostId: string;
  /** Daemons on the same machine fail together. */
  readonly ip: string;
  /** Zone; empty when unknown. */
  readonly idc: string;
  /** Path within the zone, `country|region|rack`; empty when unknown. */
  readonly location: string;
  readonly freeBytes: number;
  /** Whether it serves pieces to others. */
  readonly shares: boolean;
}

/**
 * The candidate that has least in common with the holders of replicas: zone, then machine, then location, level by
 * level; among equals the one with the most free space. Undefined without candidates.
 */
export function nextPlace(candidates: Iterable<HostPlace>, holders: readonly HostPlace[]): HostPlace | undefined {
  let best: { place: HostPlace; nearness: readonly number[] } | undefined;
  for (const place of candidates) {
    const nearness = nearnessOf(place, holders);
    if (!best || comesBefore({ place, nearness }, best)) best = { place, nearness };
  }
  return best?.place;
}

/** How many holders share its zone and machine, and the longest common location path. */
function nearnessOf(place: HostPlace, holders: readonly HostPlace[]): readonly number[] {
  const sameZone = holders.filter(({ idc }) => idc === place.idc).length;
  const sameMachine = holders.filter(({ ip }) => ip === place.ip).length;
  const common = Math.max(0, ...holders.map(({ location }) => commonLevels(location, place.location)));
  return [sameZone, sameMachine, common];
}

function commonLevels(a: string, b: string): number {
  if (a === '' || b === '') return 0;
  const [left, right] = [a.toLowerCase().split('|'), b.toLowerCase().split('|')];
  const differs = left.findIndex((level, index) => level !== right[index]);
  return differs === -1 ? left.length : differs;
}

function comesBefore(
  a: { readonly place: HostPlace; readonly nearness: readonly number[] },
  b: { readonly place: HostPlace; readonly nearness: readonly number[] },
): boolean {
  for (const [index, value] of a.nearness.entries()) {
    const other = b.nearness[index] ?? 0;
    if (value !== other) return value < other;
  }
  if (a.place.freeBytes !== b.place.freeBytes) return a.place.freeBytes > b.place.freeBytes;
  return a.place.hostId < b.place.hostId;
}

/** The place that has most in common with the others, so that losing it loses least. */
export function nearestPlace(places: readonly HostPlace[]): HostPlace | undefined {
  let left = places;
  let chosen: HostPlace | undefined;
  // Re-assigns the places in order: the one chosen last can be spared.
  for (const taken: HostPlace[] = []; left.length > 0; left = left.filter((place) => place !== chosen)) {
    chosen = nextPlace(left, taken);
    if (chosen) taken.push(chosen);
  }
  return chosen;
}
