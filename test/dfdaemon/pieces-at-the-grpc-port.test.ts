/**
 * A child of the original with `download.protocol: quic` finds no such port here, and asks for pieces at the gRPC port, one
 * on each connection.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { buffer } from 'node:stream/consumers';
import { taskId } from '../../src/core/ids.ts';
import { decodeAnswer, encodeRequest, tags } from '../../src/dfdaemon/transport/vortex.ts';
import { createClient } from '../../src/rpc/client.ts';
import { DfdaemonUploadDefinition, SyncPiecesRequest } from '../../gen/dfdaemon/v2/dfdaemon.ts';
import { TestAuthority } from '../rpc/certificates.ts';
import { HttpOrigin } from '../support/http-origin.ts';
import { LocalSwarm, type Daemon, type DaemonOptions } from '../support/local-swarm.ts';

const pieceBytes = 4 * 2 ** 20;
const content = randomBytes(2 * pieceBytes + 17);

describe('the gRPC port of a daemon', { timeout: 200_000 }, () => {
  let swarm: LocalSwarm;
  let origin: HttpOrigin;
  let url: string;

  before(async () => {
    [swarm, origin] = [await LocalSwarm.create(), await HttpOrigin.start()];
    url = origin.add('/file', { content });
  });
  after(async () => {
    await swarm[Symbol.asyncDispose]();
    await origin[Symbol.asyncDispose]();
  });

  /** A daemon that holds the content. */
  async function holder(name: string, adjust: DaemonOptions['adjust'] = (config) => config): Promise<Daemon> {
    const daemon = await swarm.startDaemon(name, { schedulers: [], adjust });
    await swarm.download(daemon, { url, outputPath: swarm.directory.join(`${name}.out`) });
    return daemon;
  }

  function askFor(piece: number, { service }: Daemon, id: number): Promise<Buffer> {
    const { hostname, port } = new URL(`http://${service.addresses.peer}`);
    const socket = connect(Number(port), hostname);
    const request = encodeRequest(tags.downloadPiece, taskId({ url }), piece, id);
    socket.write(request.subarray(0, 1), () => socket.write(request.subarray(1)));
    return buffer(socket);
  }

  test('gives pieces like the piece port, and is a gRPC port as before', async () => {
    const daemon = await holder('plain');
    const letterP = 0x50; // with which HTTP/2 begins, too
    for (const piece of [0, 2]) {
      const bytes = await askFor(piece, daemon, letterP);
      const answer = decodeAnswer(bytes, 0, bytes.length, tags.pieceContent);
      assert(answer?.kind === 'content');
      assert.equal(answer.head.number, piece);
      const start = piece * pieceBytes;
      assert.deepEqual(bytes.subarray(answer.bytes), content.subarray(start, start + pieceBytes));
    }
    const upload = createClient(DfdaemonUploadDefinition, swarm.channels, daemon.service.addresses.peer ?? '');
    const request = SyncPiecesRequest.fromPartial({ hostId: 'child', taskId: taskId({ url }) });
    for await (const { contentLength } of upload.syncPieces(request)) {
      assert.equal(contentLength, content.length);
      break;
    }
  });

  test('gives none in the clear where pieces are encrypted', async () => {
    const authority = await TestAuthority.create();
    const { cert, key } = await authority.issue('127.0.0.1');
    const security = {
      insecure: false,
      tlsVerify: true,
      caCert: authority.ca.toString(),
      cert: cert.toString(),
      key: key.toString(),
    };
    const start = (plainPieces: boolean): Promise<Daemon> =>
      holder(`encrypted-${plainPieces}`, (config) => ({
        ...config,
        upload: { ...config.upload, security, plainPieces },
      }));
    assert.equal((await askFor(0, await start(false), 1)).readUInt8(1), tags.error);
    assert.equal((await askFor(0, await start(true), 1)).readUInt8(1), tags.pieceContent, 'but where it is allowed');
  });
});
