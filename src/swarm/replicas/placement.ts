/** Where the next replica goes: as far from the others as there are places, then where there is the most room. Pure. */

export interface HostPlace {
  readonly hostId: string;
  /** Several daemons of one machine die together. */
  readonly ip: string;
  /** Zone; empty when the host has not told. */
  readonly idc: string;
  /** Path inside the zone, `country|region|rack`; empty when the host has not told. */
  readonly location: string;
  readonly freeBytes: number;
  /** It gives pieces to others. */
  readonly shares: boolean;
}

/**
 * The candidate that shares the least with those that hold a replica: zone, then machine, then location, level by level; among equals the one with
 * the most free space. Undefined when there is none.
 */
export function nextPlace(candidates: Iterable<HostPlace>, holders: readonly HostPlace[]): HostPlace | undefined {
  let best: { place: HostPlace; nearness: readonly number[] } | undefined;
  for (const place of candidates) {
    const nearness = nearnessOf(place, holders);
    if (!best || comesBefore({ place, nearness }, best)) best = { place, nearness };
  }
  return best?.place;
}

/** How many holders share zone and machine with it, and the length of the longest location it has in common with one. */
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

/** The place that has the most in common with the others: losing it loses the least. */
export function nearestPlace(places: readonly HostPlace[]): HostPlace | undefined {
  let left = places;
  let chosen: HostPlace | undefined;
  // Places are dealt out anew: the one that would be chosen last is the one to spare.
  for (const taken: HostPlace[] = []; left.length > 0; left = left.filter((place) => place !== chosen)) {
    chosen = nextPlace(left, taken);
    if (chosen) taken.push(chosen);
  }
  return chosen;
}
