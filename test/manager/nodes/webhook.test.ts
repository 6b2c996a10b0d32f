/** What wants attention is told to addresses of the operator: once, signed, and again when they were away. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Concern } from '../../../src/manager/nodes/concerns.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { databaseConfig, eventually } from '../support/engines.ts';
import { rootOf, startManager } from '../support/manager-fixture.ts';

interface Notice {
  readonly text: string;
  readonly raised: readonly Concern[];
  readonly cleared: readonly Concern[];
}

const secret = 'shared with the receiver';
const scheduler = { host_name: 'scheduler-1', ip: '127.0.0.1', port: 8002, scheduler_cluster_id: 1 };

test(
  'a concern is told once, over restarts, to who answers; what is acknowledged is told to nobody',
  { timeout: 120_000 },
  async () => {
    await using directory = await temporaryDirectory('df-webhook-');
    await using receiver = await Receiver.start();
    receiver.status = 503;
    const database = databaseConfig({ sqlite: { path: join(directory.path, 'manager.db') } });
    const config = {
      concerns: {
        webhooks: [
          { url: receiver.url, secret },
          { url: `${receiver.url}errors`, severity: 'error' },
        ],
      },
    };
    {
      await using manager = await startManager(database, config);
      const root = await rootOf(manager);
      await root.ok('POST', '/api/v1/schedulers', scheduler);
      await eventually(() => assert.ok(receiver.requests.length > 0));
      assert.deepEqual(receiver.notices, [], 'it has not answered well yet');
      receiver.status = 200;
      const [notice] = await eventually(() => {
        assert.equal(receiver.notices.length, 1);
        return receiver.notices;
      });
      assert.match(notice?.text ?? '', /^Warning: scheduler-1: this manager hears nothing of it. Start it again/);
      assert.deepEqual(
        notice?.raised.map(({ kind, name }) => [kind, name]),
        [['scheduler-inactive', 'scheduler-1']],
      );
      assert.deepEqual(notice.cleared, []);
    }
    await using manager = await startManager(database, config);
    const root = await rootOf(manager);
    const [known] = await eventually(async () => {
      const concerns = await root.ok<Concern[]>('GET', '/api/v1/concerns');
      assert.equal(concerns.length, 1);
      return concerns;
    });
    assert.equal(known?.name, 'scheduler-1');
    await root.ok('POST', '/api/v1/schedulers', { ...scheduler, host_name: 'scheduler-2', port: 8003 });
    const last = await eventually(() => {
      const second = receiver.notices[1];
      assert.ok(second);
      return second;
    });
    assert.deepEqual(
      last.raised.map(({ name }) => name),
      ['scheduler-2'],
    );
    assert.ok(
      receiver.requests.every(({ path }) => path === '/'),
      'warnings are not for who wants errors alone',
    );
  },
);

class Receiver implements AsyncDisposable {
  status = 200;
  readonly requests: { readonly path: string }[] = [];
  /** Those that were answered well. */
  readonly notices: Notice[] = [];
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (text: string) => (body += text));
      request.on('end', () => {
        const signature = `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
        assert.equal(request.headers['x-dragonfly-signature'], signature);
        this.requests.push({ path: request.url ?? '' });
        if (this.status === 200) this.notices.push(JSON.parse(body) as Notice);
        response.writeHead(this.status).end();
      });
    });
  }

  static async start(): Promise<Receiver> {
    const receiver = new Receiver();
    await new Promise<void>((resolve) => receiver.#server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
