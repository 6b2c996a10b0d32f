/** Every public member of a class is used by the product, not by its tests alone. The compiler knows. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LanguageServer, type Place } from './language-server.ts';
import { read, repositoryFiles, withoutComments } from './repository.ts';

interface Member extends Place {
  readonly owner: string;
  readonly name: string;
}

/** Used by whoever sees the object as something of his own, which the compiler does not take for a use of this class. */
const seenAsAnother = new Set([
  'ControlPlane.includes', // EgressRules
  'PieceServer.bufferedBytes', // BufferHolder
  'RotatingFile.write', // the stream of pino
  'SimulatedDaemon.decide', // the clients of SimulatedScheduler
  'SimulatedDaemon.isAtOrigin',
  'SimulatedDaemon.schedulerCameBack',
  'TaskEngine.fetchedFrom', // TaskOpener
  'TaskEngine.headOf',
]);

/** By these tests see what cannot be seen from outside. */
const watchedByTests = new Set([
  'DfdaemonService.config',
  'DfdaemonService.registry',
  'PieceClient.bufferedBytes',
  'PeerMachine.isIdle',
  'PieceClient.connectionCount',
  'PiecePicker.inFlightCount',
  'PiecePicker.isComplete',
  'PieceServer.activeBodies',
  'Sources.bufferedBytes',
  'TaskRate.share',
]);

const member = /^ {2}(?:(?:static|async|readonly|accessor|declare) )*(?:[gs]et )?\*?([a-zA-Z]\w*)[?!]?(?=[(<:;]| =)/d;

/** As the formatter writes them: the class begins and ends at the margin, its members are two blanks from it. */
function membersOf(file: string): Member[] {
  let owner: string | undefined;
  return read(file)
    .split('\n')
    .flatMap((text, line) => {
      const begun = /^(?:export )?(?:abstract )?class (\w+)/.exec(text)?.[1];
      if (begun !== undefined || text === '}') owner = begun;
      const found = owner === undefined ? null : member.exec(text);
      const [, name = 'constructor'] = found ?? [];
      const character = found?.indices?.[1]?.[0];
      if (owner === undefined || character === undefined || name === 'constructor') return [];
      return [{ file, owner, name, line, character }];
    });
}

/** A member or a parameter, or what could be one. */
const declaration =
  /(?:^\s*|[{(,;] )(?:(?:static|async|readonly|private|override|accessor|declare) )*(?:[gs]et )?\*?([a-zA-Z]\w*)[?!]?(?=[(<:;]| =)/gm;

/** Names of which the text alone tells that they are used: declared once, and another file speaks of them. */
function plainlyUsed(files: readonly string[]): ReadonlySet<string> {
  const declared = new Map<string, number>();
  const spokenOf = new Map<string, number>();
  for (const file of files) {
    const text = withoutComments(read(file));
    for (const [, name = ''] of text.matchAll(declaration)) {
      declared.set(name, (declared.get(name) ?? 0) + 1);
    }
    for (const name of new Set(text.match(/(?<![\w#])[a-zA-Z]\w*/g))) spokenOf.set(name, (spokenOf.get(name) ?? 0) + 1);
  }
  return new Set([...spokenOf].flatMap(([name, count]) => (count > 1 && declared.get(name) === 1 ? [name] : [])));
}

test('every public member of a class has a use beside its tests', { timeout: 600_000 }, async () => {
  using server = new LanguageServer();
  const files = repositoryFiles().filter((path) => /^src\/.*(?<!\.test)\.ts$/.test(path));
  await server.open(files);
  const members = files.flatMap(membersOf);
  assert.ok(members.length > 1000, `only ${members.length} members were found`);
  const plain = plainlyUsed(files);
  const found = await Promise.all(
    members.map(async (place) => {
      if (plain.has(place.name)) return [];
      const uses = await server.uses(place);
      const name = `${place.owner}.${place.name}`;
      const inProduct = uses.some((path) => !/\.test\.ts$|^test\//.test(path));
      if (inProduct || seenAsAnother.has(name) || (uses.length > 0 && watchedByTests.has(name))) return [];
      return [`${place.file}:${place.line + 1} ${name}${uses.length > 0 ? ' (by tests only)' : ''}`];
    }),
  );
  assert.deepEqual(found.flat(), []);
});
