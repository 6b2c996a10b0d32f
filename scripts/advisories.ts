/**
 * Is something locked that is known to be harmful, that nobody can check, or that runs at its installation? Needs no network: what is known of the locked
 * packages is kept in scripts/advisories.json.
 *
 *   node scripts/advisories.ts                  fails when there is something; `npm test` runs it
 *   node scripts/advisories.ts --records DIR    first takes what is known anew, from records in the OSV format below DIR:
 *                                               a checkout of the GitHub Advisory Database, or an unpacked npm archive of osv.dev
 *
 * One that does not concern us is named in `accepted` of advisories.json, with the reason.
 */
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  isHarmful,
  lockedPackages,
  problemsOf,
  unprovenPackages,
  type Lock,
  type OsvRecord,
  type Snapshot,
} from './locked-packages.ts';

const root = join(import.meta.dirname, '..');
const snapshotPath = join(root, 'scripts/advisories.json');
const { values } = parseArgs({ options: { records: { type: 'string' } } });

const read = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'));
const lock = read(join(root, 'package-lock.json')) as Lock;
const { allowScripts } = read(join(root, 'package.json')) as { allowScripts: Readonly<Record<string, boolean>> };
let snapshot = existsSync(snapshotPath) ? (read(snapshotPath) as Snapshot) : undefined;

if (values.records !== undefined) {
  const names = new Set(lockedPackages(lock).map(({ name }) => name));
  const records = globSync('**/*.json', { cwd: values.records })
    .map((path) => read(join(values.records ?? '', path)) as OsvRecord)
    .filter((record) => isHarmful(record, names))
    .map(({ id, summary, affected }) => ({
      id,
      summary,
      affected: affected?.filter(({ package: of }) => of?.ecosystem === 'npm' && names.has(of.name)),
    }))
    .toSorted((a, b) => (a.id < b.id ? -1 : 1));
  snapshot = { taken: new Date().toISOString().slice(0, 10), accepted: snapshot?.accepted ?? {}, records };
  writeFileSync(snapshotPath, `${JSON.stringify(snapshot, undefined, 2)}\n`);
}

const problems = [...unprovenPackages(lock, allowScripts), ...(snapshot ? problemsOf(lock, snapshot) : [])];
for (const problem of problems) console.log(`✗ ${problem}`);
console.log(
  snapshot
    ? `${lockedPackages(lock).length} packages beside ${snapshot.records.length} records of ${snapshot.taken}: ${problems.length} problems`
    : `${lockedPackages(lock).length} packages, ${problems.length} problems; nothing is known of advisories: run with --records`,
);
process.exitCode = problems.length > 0 ? 1 : 0;
