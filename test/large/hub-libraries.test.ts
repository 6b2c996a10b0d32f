/** Libraries that load from a model hub, through the door of two nodes: transformers, datasets, and the file system of the hub. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { startFilesHub, type FilesHub } from '../proxy/support/files-hub.ts';
import { LocalSwarm, type Daemon } from '../support/local-swarm.ts';
import { pythonEnvironment, pythonMissing } from '../support/python-environment.ts';

const execute = promisify(execFile);
const loadTimeoutMs = 300_000;
const words = ['[UNK]', '[CLS]', '[SEP]', '[PAD]', '[MASK]', 'hello', 'world'];
const lines = Array.from({ length: 1000 }, (_, number) => JSON.stringify({ text: `line ${number}` }));
const rows = Buffer.from(`${lines.join('\n')}\n`);

void describe('libraries that load from a hub', { skip: pythonMissing }, () => {
  const owned = new AsyncDisposableStack();
  const nodes: Daemon[] = [];
  let hub: FilesHub;
  let swarm: LocalSwarm;
  let python: string;
  before(async () => {
    const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
    const model = new Map([
      ['config.json', json({ model_type: 'bert', num_hidden_layers: 3, vocab_size: words.length })],
      ['tokenizer_config.json', json({ tokenizer_class: 'BertTokenizer', do_lower_case: true })],
      ['vocab.txt', Buffer.from(`${words.join('\n')}\n`)],
    ]);
    const dataset = new Map([
      ['README.md', Buffer.from('# rows\n')],
      ['data/train.jsonl', rows],
    ]);
    hub = owned.use(
      await startFilesHub(
        new Map([
          ['models/org/tiny', model],
          ['datasets/org/rows', dataset],
        ]),
      ),
    );
    swarm = owned.use(await LocalSwarm.create());
    await swarm.startScheduler();
    const yaml = `doors: {huggingface: {endpoint: "${hub.url}"}}`;
    for (const name of ['one', 'two']) nodes.push(await swarm.startDaemon(name, { yaml }));
    python = await pythonEnvironment(swarm.directory.join('python'), ['transformers', 'datasets']);
  });
  after(() => owned.disposeAsync());

  void it('give what the hub has, and each file leaves the hub once', async () => {
    for (const node of nodes) {
      const env = {
        ...process.env,
        HF_ENDPOINT: `http://${node.service.addresses['proxy']}/hf`,
        HF_HOME: swarm.directory.join(`home-${node.name}`),
        HF_HUB_DISABLE_TELEMETRY: '1',
      };
      const script = join(import.meta.dirname, 'hub-libraries.py');
      const { stdout } = await execute(python, [script], { env, timeout: loadTimeoutMs });
      assert.deepEqual(JSON.parse(stdout.trim().split('\n').at(-1) ?? ''), {
        tokens: ['hello', 'world'],
        layers: 3,
        rows: lines.length,
        last: 'line 999',
        listed: ['README.md', 'train.jsonl'],
        part: rows.subarray(10, 30).toString(),
      });
    }
    for (const [path, times] of hub.given) assert.equal(times, 1, path);
  });
});
