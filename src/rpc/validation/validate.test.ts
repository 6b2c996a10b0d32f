import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { DragonflyError } from '../../core/errors.ts';
import { Host, type Download } from '../../../gen/common/v2/common.ts';
import { DfdaemonDownloadDefinition, DfdaemonUploadDefinition } from '../../../gen/dfdaemon/v2/dfdaemon.ts';
import { DfdaemonLocalDefinition } from '../../../gen/dfdaemon/v2/local.ts';
import { ManagerDefinition } from '../../../gen/manager/v2/manager.ts';
import { AnnouncePeerRequest, SchedulerDefinition } from '../../../gen/scheduler/v2/scheduler.ts';
import type { MessageType, ServiceDefinition } from '../definition.ts';
import { validate } from './validate.ts';

const services: readonly ServiceDefinition[] = [
  SchedulerDefinition,
  DfdaemonUploadDefinition,
  DfdaemonDownloadDefinition,
  DfdaemonLocalDefinition,
  ManagerDefinition,
];
const requests = services.flatMap((service) =>
  Object.values(service.methods).map((method) => method.requestType as MessageType<Record<string, unknown>>),
);

const ids = { hostId: '10.0.0.1-host', taskId: 'a'.repeat(64), peerId: '10.0.0.1-host-1' };
const register = (download: Parameters<typeof Download.fromPartial>[0]): AnnouncePeerRequest =>
  AnnouncePeerRequest.fromPartial({ ...ids, request: { $case: 'registerPeerRequest', value: { download } } });

const refused = (message: AnnouncePeerRequest, field: RegExp): void =>
  assert.throws(() => validate('scheduler.v2.AnnouncePeerRequest', message), {
    code: 'INVALID_ARGUMENT',
    message: field,
  });

void describe('validation', () => {
  void it('admits the failure of a daemon that went to the origin without a lease', () => {
    const value = { leaseId: '', temporary: true };
    const message = AnnouncePeerRequest.fromPartial({ ...ids, request: { $case: 'originLeaseFailedRequest', value } });
    validate('scheduler.v2.AnnouncePeerRequest', message);
  });

  void it('answers any decodable bytes with acceptance or INVALID_ARGUMENT, never with another error', () => {
    fc.assert(
      fc.property(fc.constantFrom(...requests), fc.uint8Array({ maxLength: 200 }), (type, bytes) => {
        let message: unknown;
        try {
          message = type.decode(bytes);
        } catch {
          return; // refused before validation
        }
        try {
          validate(type.$type, message);
        } catch (error) {
          assert.ok(error instanceof DragonflyError && error.code === 'INVALID_ARGUMENT', String(error));
        }
      }),
      { numRuns: 3000 },
    );
  });

  void it('refuses empty messages of every call that needs an id', () => {
    for (const type of requests) {
      if (!/(Stat|Delete|Sync|Hold|Announce|Upload|Update).*Request$/.test(type.$type)) continue;
      assert.throws(
        () => validate(type.$type, type.decode(new Uint8Array())),
        { code: 'INVALID_ARGUMENT' },
        type.$type,
      );
    }
  });

  void it('accepts what honest peers send', () => {
    validate(
      'scheduler.v2.AnnouncePeerRequest',
      register({
        url: 'https://registry.example/v2/a/blobs/sha256:1?x=y',
        digest: `sha256:${'a'.repeat(64)}`,
        pieceLength: 4 * 2 ** 20,
        range: { start: 0, length: 2 ** 40 },
        requestHeader: { authorization: 'Bearer x'.repeat(100) },
        timeout: { seconds: 3600, nanos: 0 },
        remoteIp: '::1',
        actualContentLength: 100 * 2 ** 30,
        huggingFace: { revision: 'main' },
      }),
    );
    const host = { id: ids.hostId, hostname: 'host', ip: '10.0.0.1', port: 4000, downloadPort: 4000 };
    validate('scheduler.v2.AnnounceHostRequest', {
      host: Host.fromPartial(host),
      interval: { seconds: 300, nanos: 0 },
    });
  });

  void it('refuses what is out of bounds', () => {
    refused(register({ url: 'no url' }), /url/);
    refused(register({ url: 'http://x/', pieceLength: 1 }), /pieceLength/);
    refused(register({ url: 'http://x/', priority: 9 as 6 }), /priority/);
    refused(register({ url: 'http://x/', digest: 'sha256:abc' }), /digest/);
    refused(register({ url: 'http://x/', remoteIp: 'localhost' }), /remoteIp/);
    refused(register({ url: 'http://x/', timeout: { seconds: -1, nanos: 0 } }), /timeout/);
    refused(register({ url: 'http://x/', huggingFace: { revision: '' } }), /revision/);
    refused(register({ url: `http://x/${'a'.repeat(20_000)}` }), /longer/);
    const headers = Object.fromEntries(Array.from({ length: 600 }, (_, index) => [`h${index}`, '']));
    refused(register({ url: 'http://x/', requestHeader: headers }), /entries/);
    const bitmap = { pieces: new Uint8Array(3 * 2 ** 20) };
    refused(
      AnnouncePeerRequest.fromPartial({ ...ids, request: { $case: 'downloadPiecesFinishedRequest', value: bitmap } }),
      /pieces/,
    );
  });
});
