/**
 * Every key that configuration files of the original carry, with the kinds of values they have there: samples, compose
 * set-ups and rendered charts of its releases from 2.0.9 on, both generations. All of them start our services.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { stringify } from 'yaml';
import { loadConfig, type LoadedConfig } from '../../src/core/config/config.ts';
import { loadDfdaemonConfig } from '../../src/dfdaemon/config.ts';
import { managerConfigSchema } from '../../src/manager/config.ts';
import { schedulerConfigSchema } from '../../src/scheduler/config.ts';
import { root } from './repository.ts';

type Keys = Readonly<Record<string, readonly unknown[]>>;

const original = JSON.parse(readFileSync(join(root, 'test/vectors/original-config-keys.json'), 'utf8')) as Readonly<
  Record<string, Keys>
>;

const loaders: Readonly<Record<string, (path: string) => Promise<LoadedConfig<unknown>>>> = {
  'dfget.yaml': (path) => loadDfdaemonConfig(path, {}),
  'dfdaemon.yaml': (path) => loadDfdaemonConfig(path, {}),
  'scheduler.yaml': (path) => loadConfig(schedulerConfigSchema, path),
  'manager.yaml': (path) => loadConfig(managerConfigSchema, path),
};

const directory = mkdtempSync(join(tmpdir(), 'original-config-'));
after(() => rmSync(directory, { recursive: true }));

function load(name: string, values: unknown): Promise<LoadedConfig<unknown>> {
  const path = join(directory, name);
  writeFileSync(path, stringify(values));
  return (loaders[name] as (typeof loaders)[string])(path);
}

/** The tree with each key's value of that number, its last where it has fewer. */
function treeOf(
  keys: Keys,
  number: number,
  written: (value: unknown, key: string) => unknown = (value) => value,
): object {
  const tree: Record<string, unknown> = {};
  for (const [key, values] of Object.entries(keys)) {
    put(tree, key.split('.'), written(values[Math.min(number, values.length - 1)], key));
  }
  return tree;
}

function put(at: Record<string, unknown>, [part = '', ...rest]: readonly string[], value: unknown): void {
  if (rest.length === 0) return void (at[part] ??= value);
  const isList = part.endsWith('[]');
  const name = isList ? part.slice(0, -2) : part;
  const known = at[name];
  const inner = known !== null && typeof known === 'object' ? known : isList ? [{}] : {};
  at[name] = inner;
  put((isList ? (inner as unknown[])[0] : inner) as Record<string, unknown>, rest, value);
}

/** What is told about in its own words is kept as it was written. */
const kept = /^(?:objectStorage|tracing|stats|backend|trainer|networkTopology|cache|database\.redis|scheduler\.retry)/;

const quoted = (value: unknown, key: string): unknown =>
  (typeof value === 'number' || typeof value === 'boolean') && !kept.test(key) ? String(value) : value;

function inOtherCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOtherCase);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key.toLowerCase(), inOtherCase(item)]));
}

for (const [name, keys] of Object.entries(original)) {
  describe(name, () => {
    for (const number of [0, 1, 2, 3]) {
      test(`loads, values of number ${number}`, async () => {
        const { warnings } = await load(name, treeOf(keys, number));
        assert.deepEqual(
          warnings.filter((warning) => warning.includes('unknown key')),
          [],
        );
        const idle = warnings.filter((warning) => warning.includes('taken without effect'));
        assert.ok(idle.length <= 1, idle.join('\n'));
      });
    }

    test('numbers and truths in quotes are the same', async () => {
      const [plain, inQuotes] = [await load(name, treeOf(keys, 0)), await load(name, treeOf(keys, 0, quoted))];
      assert.deepEqual(inQuotes.config, plain.config);
    });

    test('keys in lower case are the same', async () => {
      const tree = treeOf(Object.fromEntries(Object.entries(keys).filter(([key]) => !kept.test(key))), 0);
      const [plain, lower] = [await load(name, tree), await load(name, inOtherCase(tree))];
      assert.deepEqual(lower.config, plain.config);
    });

    test("'' and null are the default, wherever they stand", async () => {
      const refused: string[] = [];
      for (const empty of ['', null]) {
        // Such as an address in a list: without it there is nothing.
        const tree = treeOf(keys, 0, (value, key) => (key.includes('[]') ? value : empty));
        await load(name, tree).catch((error: Error) => refused.push(error.message));
      }
      assert.deepEqual(refused, []);
    });
  });
}
