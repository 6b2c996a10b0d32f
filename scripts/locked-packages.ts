/** What a lock file says of the packages that would be installed, beside what is known of them. */

export interface Lock {
  readonly packages: Readonly<Record<string, LockEntry>>;
}

interface LockEntry {
  readonly version?: string;
  readonly integrity?: string;
  readonly link?: boolean;
  readonly hasInstallScript?: boolean;
}

/** Of the OSV format, what is used here. */
export interface OsvRecord {
  readonly id: string;
  readonly summary?: string | undefined;
  readonly withdrawn?: string;
  readonly affected?: readonly Affected[] | undefined;
}

interface Affected {
  readonly package?: { readonly ecosystem: string; readonly name: string };
  readonly versions?: readonly string[];
  readonly ranges?: readonly { readonly type: string; readonly events: readonly Event[] }[];
}

interface Event {
  readonly introduced?: string;
  readonly fixed?: string;
  readonly last_affected?: string;
}

export interface Snapshot {
  /** Day. */
  readonly taken: string;
  /** Why a record does not concern us, by its id. */
  readonly accepted: Readonly<Record<string, string>>;
  readonly records: readonly OsvRecord[];
}

interface LockedPackage extends LockEntry {
  readonly name: string;
}

const folder = 'node_modules/';

/** The same package of two versions twice. */
export function lockedPackages({ packages }: Lock): LockedPackage[] {
  return Object.entries(packages)
    .filter(([place, { link }]) => place.includes(folder) && link !== true)
    .map(([place, entry]) => ({ name: place.slice(place.lastIndexOf(folder) + folder.length), ...entry }));
}

/** Those whose bytes nobody can check, and those that run something at their installation without being named. */
export function unprovenPackages(lock: Lock, allowScripts: Readonly<Record<string, boolean>>): string[] {
  return lockedPackages(lock).flatMap(({ name, integrity, hasInstallScript }) => [
    ...(integrity === undefined ? [`${name} has no integrity in the lock file: run scripts/complete-lock.ts`] : []),
    ...(hasInstallScript === true && allowScripts[name] === undefined
      ? [`${name} runs a script at its installation, and allowScripts of package.json says nothing of it`]
      : []),
  ]);
}

/** The record stands, and is about one of these packages of npm. */
export function isHarmful({ withdrawn, affected = [] }: OsvRecord, names: ReadonlySet<string>): boolean {
  return withdrawn === undefined && affected.some(({ package: of }) => of?.ecosystem === 'npm' && names.has(of.name));
}

/** Locked versions that a record is about, unless it is accepted. */
export function problemsOf(lock: Lock, { records, accepted }: Snapshot): string[] {
  return lockedPackages(lock).flatMap(({ name, version = '' }) =>
    records
      .filter(({ id }) => accepted[id] === undefined)
      .filter(({ affected = [] }) => affected.some((one) => one.package?.name === name && concerns(one, version)))
      .map(({ id, summary = '' }) => `${name}@${version}: ${id} ${summary}`.trimEnd()),
  );
}

function concerns({ versions = [], ranges = [] }: Affected, version: string): boolean {
  return versions.includes(version) || ranges.some(({ type, events }) => type !== 'GIT' && isWithin(version, events));
}

/** Events in the order of their versions: what was introduced lasts until it is fixed. */
function isWithin(version: string, events: readonly Event[]): boolean {
  let within = false;
  for (const { introduced, fixed, last_affected: last } of events) {
    if (introduced !== undefined && (introduced === '0' || compareVersions(version, introduced) >= 0)) within = true;
    if (fixed !== undefined && compareVersions(version, fixed) >= 0) within = false;
    if (last !== undefined && compareVersions(version, last) > 0) within = false;
  }
  return within;
}

/** By the rules of SemVer 2.0, §11. */
export function compareVersions(one: string, other: string): number {
  const [a, b] = [parsed(one), parsed(other)];
  for (let place = 0; place < 3; place += 1) {
    const difference = (a.numbers[place] ?? 0) - (b.numbers[place] ?? 0);
    if (difference !== 0) return difference;
  }
  if (a.pre.length === 0 || b.pre.length === 0) return b.pre.length - a.pre.length;
  for (let place = 0; place < Math.max(a.pre.length, b.pre.length); place += 1) {
    const [left, right] = [a.pre[place], b.pre[place]];
    if (left === right) continue;
    if (left === undefined || right === undefined) return left === undefined ? -1 : 1;
    const isNumber = [left, right].map((part) => /^\d+$/.test(part));
    if (isNumber[0] && isNumber[1]) return Number(left) - Number(right);
    if (isNumber[0] !== isNumber[1]) return isNumber[0] === true ? -1 : 1;
    return left < right ? -1 : 1;
  }
  return 0;
}

function parsed(version: string): { numbers: number[]; pre: string[] } {
  const [core = '', pre = ''] = version.replace(/^v/, '').replace(/\+.*$/, '').split(/-(.*)/s);
  return { numbers: core.split('.').map(Number), pre: pre === '' ? [] : pre.split('.') };
}
