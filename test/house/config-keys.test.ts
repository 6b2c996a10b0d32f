/** Every documented key of the configuration files is read somewhere, or is listed as without effect. The compiler knows. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
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

/** The compiler as a language server, spoken to over its standard streams. */
class LanguageServer {
  readonly #process: ChildProcessByStdio<Writable, Readable, null>;
  readonly #waiting = new Map<number, (result: unknown) => void>();
  #buffer = Buffer.alloc(0);
  #id = 0;

  constructor() {
    const compiler = join(root, 'node_modules/.bin/tsc');
    this.#process = spawn(compiler, ['--lsp', '--stdio'], { stdio: ['pipe', 'pipe', 'ignore'], cwd: root });
    this.#process.stdout.on('data', (bytes: Buffer) => this.#receive(bytes));
  }

  request(method: string, params: object): Promise<unknown> {
    const id = (this.#id += 1);
    this.#send({ id, method, params });
    return new Promise((resolve) => this.#waiting.set(id, resolve));
  }

  notify(method: string, params: object): void {
    this.#send({ method, params });
  }

  close(): void {
    this.#process.kill();
  }

  #send(message: object): void {
    const text = JSON.stringify({ jsonrpc: '2.0', ...message });
    this.#process.stdin.write(`Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
  }

  #receive(bytes: Buffer): void {
    this.#buffer = Buffer.concat([this.#buffer, bytes]);
    for (;;) {
      const end = this.#buffer.indexOf('\r\n\r\n');
      const length = Number(/content-length: (\d+)/i.exec(this.#buffer.toString('latin1', 0, Math.max(0, end)))?.[1]);
      if (end === -1 || this.#buffer.length < end + 4 + length) return;
      const message = JSON.parse(this.#buffer.toString('utf8', end + 4, end + 4 + length)) as {
        id?: number;
        method?: string;
        result?: unknown;
      };
      this.#buffer = this.#buffer.subarray(end + 4 + length);
      if (message.id === undefined) continue;
      if (message.method === undefined) this.#waiting.get(message.id)?.(message.result);
      else this.#send({ id: message.id, result: null }); // it asks for settings, and takes none
    }
  }
}

const server = new LanguageServer();
after(() => server.close());

test('every documented key is read, or is listed as without effect', { timeout: 240_000 }, async () => {
  const uri = (file: string): string => pathToFileURL(join(root, file)).href;
  await server.request('initialize', { processId: process.pid, rootUri: uri('.'), capabilities: {} });
  server.notify('initialized', {});
  for (const file of schemas) {
    const text = readFileSync(join(root, file), 'utf8');
    const textDocument = { uri: uri(file), languageId: 'typescript', version: 1, text };
    server.notify('textDocument/didOpen', { textDocument });
  }
  const keys = schemas.flatMap(keysOf);
  assert.ok(keys.length > 200, `only ${keys.length} keys were found`);
  const unread: string[] = [];
  for (const { file, name, line, character, text } of keys) {
    if (/: (ignored|z\.unknown)/.test(text) || handedOn.has(name)) continue;
    const found = (await server.request('textDocument/references', {
      textDocument: { uri: uri(file) },
      position: { line, character },
      context: { includeDeclaration: false },
    })) as { uri: string; range: { start: { line: number; character: number } } }[] | null;
    const readers = (found ?? []).filter(
      ({ uri: at, range }) =>
        !at.includes('.test.ts') &&
        !at.includes('/test/') &&
        !(at === uri(file) && range.start.line === line && range.start.character === character),
    );
    if (readers.length === 0) unread.push(`${file}:${line + 1} ${name}`);
  }
  assert.deepEqual(unread, []);
});
