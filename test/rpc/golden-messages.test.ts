/**
 * Messages that parts of the original have sent to each other: read, and written again byte for byte. A field that we did
 * not know, or read as something else, would show. How they were made stands in the file with them.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import type { MessageType, MethodDefinition, ServiceDefinition } from '../../src/rpc/definition.ts';
import { DfdaemonDownloadDefinition, DfdaemonUploadDefinition } from '../../gen/dfdaemon/v2/dfdaemon.ts';
import { ManagerDefinition } from '../../gen/manager/v2/manager.ts';
import { SchedulerDefinition } from '../../gen/scheduler/v2/scheduler.ts';

interface Recorded {
  readonly method: string;
  readonly from: 'client' | 'server';
  readonly program: string;
  readonly hex: string;
  readonly toTheMillisecond?: string;
  readonly asRead?: string;
}

const { messages } = read<{ readonly messages: readonly Recorded[] }>('original-messages');
const { conversation } = read<{ readonly conversation: readonly Recorded[] }>('original-conversation');

function read<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../vectors/${name}.json`, import.meta.url), 'utf8')) as T;
}

const services: readonly ServiceDefinition[] = [
  ManagerDefinition,
  SchedulerDefinition,
  DfdaemonDownloadDefinition,
  DfdaemonUploadDefinition,
];

function methodOf(path: string): MethodDefinition {
  const [, service, name] = path.split('/');
  const methods = Object.values(services.find(({ fullName }) => fullName === service)?.methods ?? {});
  const method = methods.find((candidate) => candidate.name === name);
  assert.ok(method, `${path} is not of this protocol`);
  return method;
}

void describe('messages of the original', () => {
  for (const [index, { method: path, from, program, hex, toTheMillisecond = hex }] of messages.entries()) {
    void it(`${index}: ${path} of ${program} is read and written again as it was`, () => {
      const { requestType, responseType } = methodOf(path);
      const type = (from === 'client' ? requestType : responseType) as MessageType<unknown>;
      const message = type.decode(Buffer.from(hex, 'hex'));
      assert.equal(Buffer.from(type.encode(message).finish()).toString('hex'), toTheMillisecond);
    });
  }

  void it('of a whole conversation say the same when they are written again', () => {
    for (const { method, from, hex, asRead = hex } of conversation) {
      const { requestType, responseType } = methodOf(`/scheduler.v2.Scheduler/${method}`);
      const type = (from === 'client' ? requestType : responseType) as MessageType<unknown>;
      assert.equal(Buffer.from(type.encode(type.decode(Buffer.from(hex, 'hex'))).finish()).toString('hex'), asRead);
    }
  });
});
