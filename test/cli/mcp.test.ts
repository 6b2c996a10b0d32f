/** `dragonfly mcp` as an agent's own client sees it: the process is started, and asked by the published client of the protocol. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { HttpOrigin } from '../support/http-origin.ts';
import { LocalSwarm } from '../support/local-swarm.ts';
import { productCommand } from '../support/product.ts';

interface Agent extends AsyncDisposable {
  readonly names: readonly string[];
  /** Lines of JSON that the tool printed. */
  call(name: string, input?: Record<string, unknown>): Promise<{ lines: Record<string, unknown>[]; isError: boolean }>;
}

async function startAgent(...flags: string[]): Promise<Agent> {
  const [command, ...args] = [...productCommand('dragonfly'), 'mcp', ...flags] as [string, ...string[]];
  const client = new Client({ name: 'test', version: '1' });
  await client.connect(new StdioClientTransport({ command, args }));
  const { tools } = await client.listTools();
  return {
    names: tools.map(({ name }) => name),
    async call(name, input = {}) {
      const { content, isError = false } = await client.callTool({ name, arguments: input });
      const [part] = content;
      assert.equal(part?.type, 'text');
      const lines = part.text.split('\n').filter((line) => line.startsWith('{'));
      return { lines: lines.map((line) => JSON.parse(line) as Record<string, unknown>), isError };
    },
    [Symbol.asyncDispose]: () => client.close(),
  };
}

describe('dragonfly mcp', { timeout: 180_000 }, () => {
  test('tells what is stored, where it came from and why, and changes nothing', async () => {
    await using swarm = await LocalSwarm.create();
    await using origin = await HttpOrigin.start();
    await swarm.startScheduler();
    const daemon = await swarm.startDaemon('asked');
    const url = origin.add('/model.bin', { content: randomBytes(5 * 2 ** 20) });
    await swarm.download(daemon, { url, outputPath: swarm.directory.join('model') });
    await using agent = await startAgent('--endpoint', daemon.socket);
    assert.ok(!agent.names.includes('preheat') && !agent.names.includes('remove_task'));

    const stored = await agent.call('list_tasks');
    assert.equal(stored.lines.length, 1);
    const [task] = stored.lines;
    assert.equal(task?.['url'], url);
    const receipts = await agent.call('list_receipts', { id: task?.['taskId'], limit: 5 });
    assert.equal(receipts.lines[0]?.['bytesFromOrigin'], 5 * 2 ** 20);
    const shown = await agent.call('show_task', { id: String(task?.['taskId']).slice(0, 12) });
    assert.equal(shown.lines[0]?.['state'], 'finished');
    const why = await agent.call('explain_url', { url });
    assert.ok(
      why.lines.some(({ text }) => String(text).includes('this node holds all of it')),
      JSON.stringify(why.lines),
    );
    const refused = await agent.call('remove_task', { id: task?.['taskId'] }).catch((error: unknown) => error as Error);
    assert.ok(refused instanceof Error || refused.isError);
    assert.equal((await agent.call('list_tasks')).lines.length, 1);
  });

  test('where changes are allowed it removes', async () => {
    await using swarm = await LocalSwarm.create();
    await using origin = await HttpOrigin.start();
    const daemon = await swarm.startDaemon('changed');
    const url = origin.add('/file', { content: randomBytes(1000) });
    await swarm.download(daemon, { url, outputPath: swarm.directory.join('file') });
    await using agent = await startAgent('--endpoint', daemon.socket, '--allow-changes');
    const [task] = (await agent.call('list_tasks')).lines;
    assert.equal((await agent.call('remove_task', { id: task?.['taskId'] })).isError, false);
    assert.equal((await agent.call('list_tasks')).lines.length, 0);
  });

  test('answers what-if questions, takes no flags for values, and says what is wrong', async () => {
    await using agent = await startAgent('--endpoint', '/nonexistent/d.sock');
    const { lines } = await agent.call('simulate', { peers: 5, size: '20MB', up: '100MB/s' });
    assert.equal(lines[0]?.['fluidLimitSeconds'], 0.2);
    const absent = await agent.call('list_tasks');
    assert.equal(absent.isError, true);
    assert.equal(absent.lines.at(-1)?.['error'], 'DAEMON_UNREACHABLE');
    const flag = await agent.call('explain_url', { url: '--help' });
    assert.equal(flag.lines.at(-1)?.['message'], '"--help" is not a URL');
  });
});
