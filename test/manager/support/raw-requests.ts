/** Requests to a manager's API as they are written, and its streams of events. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { ManagerService } from '../../../src/manager/manager-service.ts';

interface Events {
  readonly status: number;
  readonly text: () => string;
  readonly ends: (withinMs: number) => Promise<void>;
  readonly close: () => void;
}

export async function events({ restPort }: ManagerService, path: string, token: string): Promise<Events> {
  const request = httpRequest({
    host: '127.0.0.1',
    port: restPort,
    path,
    headers: { authorization: `Bearer ${token}` },
    agent: false,
  });
  request.end();
  const [answer] = (await once(request, 'response')) as [IncomingMessage];
  let text = '';
  answer.on('data', (block: Buffer) => (text += block.toString())).on('error', () => undefined);
  const ended = new Promise<void>((resolve) => answer.once('close', resolve));
  return {
    status: answer.statusCode ?? 0,
    text: () => text,
    ends: async (withinMs) => {
      const end = await Promise.race([ended.then(() => 'ended'), delay(withinMs, 'goes on')]);
      request.destroy();
      assert.equal(end, 'ended');
    },
    close: () => request.destroy(),
  };
}

/** As it is written, from an address of this machine. */
export async function raw(
  { restPort }: ManagerService,
  method: string,
  path: string,
  headers: Record<string, string>,
  body?: string,
  localAddress = '127.0.0.1',
): Promise<{ status: number; body: string }> {
  const request = httpRequest({ host: '127.0.0.1', port: restPort, method, path, headers, localAddress, agent: false });
  request.end(body);
  const [answer] = (await once(request, 'response')) as [IncomingMessage];
  let text = '';
  for await (const block of answer) text += String(block);
  return { status: answer.statusCode ?? 0, body: text };
}
