/** The compiler as a language server, spoken to over its standard streams: it knows who uses what. */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { root } from './repository.ts';

export interface Place {
  readonly file: string;
  readonly line: number;
  readonly character: number;
}

export class LanguageServer implements Disposable {
  readonly #process: ChildProcessByStdio<Writable, Readable, null>;
  readonly #waiting = new Map<number, (result: unknown) => void>();
  #buffer = Buffer.alloc(0);
  #id = 0;

  constructor() {
    const compiler = join(root, 'node_modules/.bin/tsc');
    this.#process = spawn(compiler, ['--lsp', '--stdio'], { stdio: ['pipe', 'pipe', 'ignore'], cwd: root });
    this.#process.stdout.on('data', (bytes: Buffer) => this.#receive(bytes));
  }

  /** Files to ask about; the compiler reads all others by itself. */
  async open(files: readonly string[]): Promise<void> {
    await this.#request('initialize', { processId: process.pid, rootUri: uriOf('.'), capabilities: {} });
    this.#notify('initialized', {});
    for (const file of files) {
      const text = readFileSync(join(root, file), 'utf8');
      this.#notify('textDocument/didOpen', {
        textDocument: { uri: uriOf(file), languageId: 'typescript', version: 1, text },
      });
    }
  }

  /** Files of each use of the name at this place, from the root; its declaration does not count. Lines and characters from 0. */
  async uses({ file, line, character }: Place): Promise<string[]> {
    const found = (await this.#request('textDocument/references', {
      textDocument: { uri: uriOf(file) },
      position: { line, character },
      context: { includeDeclaration: false },
    })) as { uri: string; range: { start: { line: number; character: number } } }[] | null;
    return (found ?? [])
      .map(({ uri, range: { start } }) => ({ path: relative(root, fileURLToPath(uri)), ...start }))
      .filter((use) => !(use.path === file && use.line === line && use.character === character))
      .map(({ path }) => path);
  }

  [Symbol.dispose](): void {
    this.#process.kill();
  }

  #request(method: string, params: object): Promise<unknown> {
    const id = (this.#id += 1);
    this.#send({ id, method, params });
    return new Promise((resolve) => this.#waiting.set(id, resolve));
  }

  #notify(method: string, params: object): void {
    this.#send({ method, params });
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

function uriOf(file: string): string {
  return pathToFileURL(join(root, file)).href;
}
