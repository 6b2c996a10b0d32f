/**
 * Records the frames in which daemons of the original ask for pieces and give them, for test/vectors/original-frames.json.
 *
 *   node bench/interop/record-pieces.ts --binaries DIR > frames.json
 *
 * What they ask is read between them and a seed peer of ours; what they answer, from the piece port of one of them.
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import { parseArgs } from 'node:util';
import { taskId } from '../../src/core/ids.ts';
import { decodeRequest, encodeRequest, headerBytes, requestBytes, tags } from '../../src/dfdaemon/transport/vortex.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { loopback } from './configuration.ts';
import { dfget } from './download.ts';
import { MixedCluster, type Daemon } from './mixed-cluster.ts';
import { PieceRecorder } from './piece-recorder.ts';

const { values } = parseArgs({ options: { binaries: { type: 'string' } } });
await using directory = await temporaryDirectory('df-interop-');
const recorders: PieceRecorder[] = [];
await using cluster = await MixedCluster.start({
  mix: { manager: 'ours', scheduler: 'ours', seed: 'ours', peers: 'original' },
  binaries: values.binaries ?? '',
  directory: directory.path,
  peers: 1,
  pieceRelay: async (host, port) => {
    const recorder = await PieceRecorder.start(host, port);
    recorders.push(recorder);
    return recorder;
  },
});
const [peer] = cluster.peers;
if (!peer) throw new Error('no peer');
const file = await cluster.file('recorded.bin', 10 * 2 ** 20 + 1);
await dfget(peer, file);
const id = taskId({ url: file.url });
const requests = recorders.flatMap(({ asked }) => asked.flatMap(requestsIn));
const answers = [
  await answerTo(peer, encodeRequest(tags.downloadPiece, id, 0, 1)),
  await answerTo(peer, encodeRequest(tags.downloadPiece, id, 2, 2)),
  await answerTo(peer, encodeRequest(tags.downloadPiece, id, 1000, 3)),
  await answerTo(peer, encodeRequest(tags.downloadPiece, 'f'.repeat(64), 0, 4)),
];
console.log(JSON.stringify({ taskId: id, requests, answers }, undefined, 1));

function requestsIn(bytes: Buffer): string[] {
  const found: string[] = [];
  for (let at = 0; decodeRequest(bytes.subarray(at)); at += requestBytes)
    found.push(bytes.subarray(at, at + requestBytes).toString('hex'));
  return found;
}

/** Without the content. */
async function answerTo({ ports }: Daemon, request: Buffer): Promise<{ request: string; frame: string }> {
  const socket = connect(ports.tcp, loopback);
  socket.write(request);
  let bytes = Buffer.alloc(0);
  while (bytes.length < headerBytes || bytes.length < headerBytes + bytes.readUInt32BE(2)) {
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    bytes = Buffer.concat([bytes, chunk]);
  }
  socket.destroy();
  const frame = bytes.subarray(0, headerBytes + bytes.readUInt32BE(2));
  return { request: request.toString('hex'), frame: frame.toString('hex') };
}
