/** A server that answers as the WebHDFS documentation says: a name node that redirects to a data node. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { silentLogger } from '../../src/core/process/logger.ts';
import { Sources } from '../../src/dfdaemon/source/sources.ts';
import type { Origin } from './conformance.ts';

interface StoredFile {
  readonly content: Buffer;
  readonly modificationTime: number;
}

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

export async function startWebHdfs(): Promise<Origin> {
  const files = new Map<string, StoredFile>();
  let clock = 1_700_000_000_000;
  const dataNode = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://x');
    assert.equal(request.headers.authorization, undefined, 'no secret goes to another origin');
    const { content } = files.get(decodeURIComponent(url.pathname)) as StoredFile;
    const offset = Number(url.searchParams.get('offset'));
    const bytes = content.subarray(offset, offset + Number(url.searchParams.get('length')));
    response.writeHead(200, { 'content-length': bytes.length }).end(bytes);
  });
  const dataPort = await listen(dataNode);
  const status = (path: string, suffix: string): object | undefined => {
    const file = files.get(path);
    if (file) {
      const { content, modificationTime } = file;
      return { length: content.length, modificationTime, type: 'FILE', pathSuffix: suffix };
    }
    const isDirectory = [...files.keys()].some((name) => name.startsWith(`${path}/`));
    return isDirectory ? { length: 0, modificationTime: 0, type: 'DIRECTORY', pathSuffix: suffix } : undefined;
  };
  const nameNode = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://x');
    const path = decodeURIComponent(url.pathname.replace(/^\/webhdfs\/v1/, ''));
    const answer = (code: number, body: object): void => {
      response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    if (url.searchParams.get('delegation') !== 'token') {
      return answer(403, { RemoteException: { exception: 'AccessControlException' } });
    }
    const found = status(path, '');
    if (!found) return answer(404, { RemoteException: { exception: 'FileNotFoundException' } });
    switch (url.searchParams.get('op')) {
      case 'GETFILESTATUS':
        return answer(200, { FileStatus: found });
      case 'LISTSTATUS': {
        const below = [...files.keys()].filter((name) => name.startsWith(`${path}/`));
        const names = new Set(below.map((name) => name.slice(path.length + 1).split('/')[0] ?? ''));
        return answer(200, { FileStatuses: { FileStatus: [...names].map((name) => status(`${path}/${name}`, name)) } });
      }
      default:
        url.searchParams.delete('delegation');
        response.writeHead(307, { location: `http://127.0.0.1:${dataPort}${encodeURI(path)}${url.search}` }).end();
    }
  });
  const port = await listen(nameNode);
  const sources = new Sources({ logger: silentLogger });
  const put = (name: string, content: Buffer): Promise<string> => {
    files.set(`/data/${name}`, { content, modificationTime: (clock += 1000) });
    return Promise.resolve(`hdfs://127.0.0.1:${port}/data/${name}`);
  };
  return {
    sources,
    put,
    options: { header: { authorization: 'Bearer x' }, hdfs: { delegationToken: 'token' } },
    badOptions: { header: {}, hdfs: { delegationToken: 'wrong' } },
    directory: async (contents) => {
      for (const [name, content] of Object.entries(contents)) await put(`tree/${name}`, content);
      return `hdfs://127.0.0.1:${port}/data/tree/`;
    },
    close: async () => {
      await sources[Symbol.asyncDispose]();
      for (const server of [nameNode, dataNode]) {
        server.closeAllConnections();
        server.close();
        await once(server, 'close');
      }
    },
  };
}
