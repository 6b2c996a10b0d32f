/**
 * Records what parts of the original say to each other, for original-messages.json and original-conversation.json of test/vectors.
 *
 *   node bench/interop/record.ts --binaries DIR --mix original,original,ours,ours > messages.json
 *
 * A job of each kind and one download are made in the mix; the first messages of each method and direction are kept, and
 * what the manager leaves in Redis and the scheduler writes there; of the calls with which daemons announce themselves and their
 * peers everything, in order.
 */
import { parseArgs } from 'node:util';
import { createClient } from '@redis/client';
import { taskId } from '../../src/core/ids.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { dfgetAll } from './download.ts';
import { MixedCluster, parseMix } from './mixed-cluster.ts';
import { Recorder, type RecordedMessage } from './recorder.ts';

const keptPerMethod = 3;

const { values } = parseArgs({ options: { binaries: { type: 'string' }, mix: { type: 'string' } } });
const mix = parseMix(values.mix ?? 'original,original,original,original');

await using directory = await temporaryDirectory('df-interop-');
const recorders: Recorder[] = [];
await using cluster = await MixedCluster.start({
  mix,
  binaries: values.binaries ?? '',
  directory: directory.path,
  relay: async (host, port) => {
    const recorder = await Recorder.start(host, port);
    recorders.push(recorder);
    return recorder;
  },
});
const seen: string[][] = [];
const monitor = createClient({ socket: { port: cluster.redisPort } });
monitor.on('error', () => undefined); // Redis ends with the cluster
await monitor.connect();
await monitor.monitor((line) => {
  const words = [...line.toString().matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, word = '']) => unescaped(word));
  const [command = '', key = ''] = words;
  if (['rpush', 'set'].includes(command.toLowerCase()) && /^(scheduler_|task_|group_)/.test(key)) seen.push(words);
});
const file = await cluster.file('recorded.bin', 10 * 2 ** 20);
const id = taskId({ url: file.url });
await cluster.jobs.run('preheat', { type: 'file', url: file.url });
await dfgetAll(cluster, file);
await cluster.jobs.run('get_task', { task_id: id });
await cluster.jobs.run('delete_task', { task_id: id });
monitor.destroy();
const messages = recorders.flatMap((recorder) => kept(recorder.messages));
const conversation = recorders.flatMap((recorder) => announcements(recorder.messages));
console.log(JSON.stringify({ mix, messages, conversation, redis: seen }, undefined, 1));

function announcements(all: readonly RecordedMessage[]) {
  return all
    .filter(({ method }) => /^\/scheduler\.v2\.Scheduler\/Announce(?:Host|Peer)$/.test(method))
    .map(({ method, call, from, bytes }) => ({ method, call, from, hex: bytes.toString('hex') }));
}

function kept(all: readonly RecordedMessage[]) {
  const groups = [...Map.groupBy(all, ({ method, from }) => `${method} ${from}`).values()];
  return groups.flatMap((group) => {
    const different = new Map(group.map((message) => [message.bytes.toString('hex'), message]));
    return [...different].slice(0, keptPerMethod).map(([hex, { method, from }]) => ({ method, from, hex }));
  });
}

/** As MONITOR shows strings: JSON but for bytes, which are `\\xNN`. */
function unescaped(word: string): string {
  return JSON.parse(`"${word.replaceAll(/\\x([0-9a-f]{2})/g, '\\u00$1')}"`) as string;
}
