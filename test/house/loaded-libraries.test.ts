/** What a program loads with its start, whatever it is asked to do: each library costs memory for as long as the service runs. */
import assert from 'node:assert/strict';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';
import { read, withoutComments } from './repository.ts';

/** Large, and of use to some only: they are imported where they are first used. */
const largeLibraries =
  /^(@aws-sdk|@redis|@opentelemetry\/sdk|@grpc\/reflection|@peculiar\/x509|mysql2|openid-client|pg|undici)/;

/** Packages that come with a module: by imports that are neither of types alone nor dynamic, through all of our own modules. */
function librariesOf(entry: string): Map<string, string> {
  const found = new Map<string, string>();
  const seen = new Set<string>();
  const follow = (path: string): void => {
    if (seen.has(path)) return;
    seen.add(path);
    const statements = /^(?:import|export)\b(?! type\b)(?:[^'"();]*\bfrom\s*)?\s*(['"])([^'"\n]+)\1/gm;
    for (const [, , specifier = ''] of withoutComments(read(path)).matchAll(statements)) {
      if (specifier.startsWith('.')) follow(normalize(join(dirname(path), specifier)));
      else if (!specifier.startsWith('node:')) found.set(specifier, path);
    }
  };
  follow(entry);
  return found;
}

for (const program of ['dfdaemon', 'scheduler', 'manager']) {
  test(`${program} loads no large library that it may never use`, () => {
    const libraries = librariesOf(`src/${program}/run.ts`);
    assert.ok(libraries.has('zod'), 'the imports are followed');
    const large = [...libraries].filter(([name]) => largeLibraries.test(name));
    assert.deepEqual(large, []);
  });
}
