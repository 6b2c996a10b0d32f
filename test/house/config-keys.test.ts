/** Every documented key of the configuration files is read somewhere, or is listed as without effect. The compiler knows. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { LanguageServer } from './language-server.ts';
import { root } from './repository.ts';

const schemas = [
  'src/dfdaemon/config.ts',
  'src/dfdaemon/proxy/proxy-config.ts',
  'src/rpc/identity/security-config.ts',
  'src/scheduler/config.ts',
  'src/manager/config.ts',
];

/** Sections that are handed on whole, so that the reader names their keys as its own. */
const handedOn = new Set(['allow', 'deny', 'username', 'password', 'insecure', 'certs', 'caCert', 'cert', 'key']);

/** `key: z.…`, `key: section(`, `key: durationMs(` and the like, where a schema is being made. */
const definition = /(?<=^|[{,]\s*)'?([A-Za-z][\w-]*)'?: (?=[a-z])/gm;

interface Key {
  readonly file: string;
  readonly name: string;
  readonly line: number;
  readonly character: number;
  readonly text: string;
}

function keysOf(file: string): Key[] {
  const text = readFileSync(join(root, file), 'utf8');
  const end = text.search(/^export type \w+Config? = z\.output|^export type (ProxyConfig|MemberSecurity) =/m);
  return [...text.slice(0, end === -1 ? text.length : end).matchAll(definition)].map((match) => {
    const name = match[1] ?? '';
    const before = text.slice(0, match.index + match[0].indexOf(name));
    const line = before.split('\n').length - 1;
    const character = before.length - before.lastIndexOf('\n') - 1;
    return { file, name, line, character, text: text.slice(match.index, match.index + match[0].length + 20) };
  });
}

const server = new LanguageServer();
after(() => server[Symbol.dispose]());

test('every documented key is read, or is listed as without effect', { timeout: 240_000 }, async () => {
  await server.open(schemas);
  const keys = schemas.flatMap(keysOf);
  assert.ok(keys.length > 200, `only ${keys.length} keys were found`);
  const unread: string[] = [];
  for (const { file, name, line, character, text } of keys) {
    if (/: (ignored|z\.unknown)/.test(text) || handedOn.has(name)) continue;
    const uses = await server.uses({ file, line, character });
    const readers = uses.filter((path) => !path.includes('.test.ts') && !path.startsWith('test/'));
    if (readers.length === 0) unread.push(`${file}:${line + 1} ${name}`);
  }
  assert.deepEqual(unread, []);
});
