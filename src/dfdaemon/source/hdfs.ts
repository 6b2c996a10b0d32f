/**
 * hdfs, by WebHDFS: `hdfs://[user@]namenode[:9870]/path`.
 * Rule: https://hadoop.apache.org/docs/stable/hadoop-project-dist/hadoop-hdfs/WebHDFS.html
 *
 * The name node knows length and time of a file; it redirects reading to a data node. There is no validator in HTTP's
 * sense, so length and time of modification make one.
 */
import { DragonflyError } from '../../core/errors.ts';
import { protocolError } from './http/http-head.ts';
import { statusError } from './http/http-object.ts';
import type { HttpSource } from './http.ts';
import type { Source, SourceBody, SourceEntry, SourceObject, SourceRequest } from './source.ts';
import { withoutTrailing } from '../../core/text/linear-text.ts';

const defaultPort = '9870';

interface FileStatus {
  readonly length: number;
  readonly modificationTime: number;
  readonly type: 'FILE' | 'DIRECTORY' | 'SYMLINK';
  readonly pathSuffix: string;
}

export class HdfsSource implements Source {
  readonly schemes = ['hdfs'] as const;
  readonly #http: HttpSource;

  constructor(http: HttpSource) {
    this.#http = http;
  }

  async open(request: SourceRequest): Promise<SourceBody> {
    const object = await this.stat(request);
    const lengthOfFile = object.contentLengthBytes ?? 0;
    if (request.validator !== undefined && request.validator !== object.validator) {
      throw new DragonflyError('SOURCE_CHANGED', `${nameOf(request)} has changed at the origin during the download`, {
        hint: 'Download it again; give --digest to be sure of what you get.',
      });
    }
    const { suffixBytes } = request;
    const suffixStart = suffixBytes === undefined ? 0 : Math.max(0, lengthOfFile - suffixBytes);
    const startBytes = request.range?.start ?? suffixStart;
    if (request.range && startBytes >= lengthOfFile) {
      throw new DragonflyError(
        'RANGE_NOT_SATISFIABLE',
        `the range lies outside the ${lengthOfFile} bytes of ${nameOf(request)}`,
      );
    }
    const lengthBytes = Math.min(request.range?.length ?? lengthOfFile, lengthOfFile - startBytes);
    const place = { ...object, startBytes, lengthBytes };
    if (lengthBytes === 0) return { ...place, readTo: () => Promise.resolve(), cancel: () => undefined };
    const query = { op: 'OPEN', offset: String(startBytes), length: String(lengthBytes) };
    const body = await this.#http.open({
      ...request,
      url: webUrl(request, query).href,
      range: undefined,
      suffixBytes: undefined,
      validator: undefined,
    });
    if (body.lengthBytes !== undefined && body.lengthBytes !== lengthBytes) {
      body.cancel();
      throw protocolError(`it sends ${body.lengthBytes} bytes where ${lengthBytes} were asked for`);
    }
    return {
      ...place,
      cancel: () => body.cancel(),
      readTo: async (sink) => {
        let received = 0;
        await body.readTo((block) => {
          received += block.length;
          return sink(block);
        });
        if (received !== lengthBytes) throw protocolError(`it sent ${received} of ${lengthBytes} bytes`);
      },
    };
  }

  async stat(request: SourceRequest): Promise<SourceObject> {
    const { FileStatus: status } = (await this.#ask(request, { op: 'GETFILESTATUS' })) as { FileStatus?: FileStatus };
    if (typeof status?.length !== 'number') throw protocolError('it does not tell the status of the file');
    if (status.type === 'DIRECTORY') {
      throw new DragonflyError('INVALID_ARGUMENT', `${nameOf(request)} is a directory`, {
        hint: 'Add --recursive for everything in it.',
      });
    }
    return {
      contentLengthBytes: status.length,
      ranges: true,
      validator: `"${status.modificationTime}-${status.length}"`,
      header: { 'last-modified': new Date(status.modificationTime).toUTCString() },
    };
  }

  async *list(request: SourceRequest): AsyncGenerator<SourceEntry> {
    const answer = (await this.#ask(request, { op: 'LISTSTATUS' })) as {
      FileStatuses?: { FileStatus?: readonly FileStatus[] };
    };
    const directory = `${withoutTrailing(request.url, '/')}/`;
    for (const { pathSuffix, type, length } of answer.FileStatuses?.FileStatus ?? []) {
      const isDirectory = type === 'DIRECTORY';
      const url = `${directory}${encodeURIComponent(pathSuffix)}${isDirectory ? '/' : ''}`;
      yield { url, contentLengthBytes: isDirectory ? 0 : length, isDirectory };
    }
  }

  async #ask(request: SourceRequest, query: Readonly<Record<string, string>>): Promise<unknown> {
    const url = webUrl(request, query);
    const answer = await this.#http.text({ ...request, url: url.href, range: undefined, validator: undefined });
    if (answer.statusCode !== 200) throw statusError(answer, { url });
    try {
      return JSON.parse(answer.text);
    } catch (error) {
      throw new DragonflyError('PROTOCOL', `${url.host} does not speak WebHDFS`, {
        cause: error,
        hint: 'Name the port of the name node for HTTP, usually 9870.',
      });
    }
  }
}

function webUrl(request: SourceRequest, query: Readonly<Record<string, string>>): URL {
  const given = new URL(request.url);
  if (given.hostname === '') {
    throw new DragonflyError('INVALID_ARGUMENT', `${request.url} names no name node`, {
      hint: 'Write hdfs://namenode:9870/path.',
    });
  }
  const path = withoutTrailing(given.pathname, '/');
  const url = new URL(`http://${given.hostname}:${given.port || defaultPort}/webhdfs/v1${path === '' ? '/' : path}`);
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  const token = request.hdfs?.delegationToken;
  if (token !== undefined && token !== '') url.searchParams.set('delegation', token);
  else if (given.username !== '') url.searchParams.set('user.name', decodeURIComponent(given.username));
  return url;
}

function nameOf({ url: text }: SourceRequest): string {
  const { host, pathname } = new URL(text);
  return `hdfs://${host}${pathname}`;
}
