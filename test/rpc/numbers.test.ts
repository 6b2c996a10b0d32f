/** Numbers of 64 bits from programs that have them: no message is lost for one. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { MessageType } from '../../src/rpc/definition.ts';
import * as common from '../../gen/common/v2/common.ts';
import * as dfdaemon from '../../gen/dfdaemon/v2/dfdaemon.ts';
import * as local from '../../gen/dfdaemon/v2/local.ts';
import * as errordetails from '../../gen/errordetails/v2/errordetails.ts';
import * as duration from '../../gen/google/protobuf/duration.ts';
import * as timestamp from '../../gen/google/protobuf/timestamp.ts';
import * as manager from '../../gen/manager/v2/manager.ts';
import * as watch from '../../gen/manager/v2/watch.ts';
import * as live from '../../gen/scheduler/v2/live.ts';
import * as scheduler from '../../gen/scheduler/v2/scheduler.ts';
import * as security from '../../gen/security/v1/security.ts';
import { knownLength } from '../../src/rpc/fields/known-length.ts';

const modules: readonly object[] = [
  common, dfdaemon, local, errordetails, duration, timestamp, manager, watch, live, scheduler, security,
]; // prettier-ignore
const types = modules.flatMap((module) =>
  Object.values(module).filter((value): value is MessageType<unknown> => isMessageType(value)),
);

function isMessageType(value: unknown): boolean {
  return typeof value === 'object' && value !== null && '$type' in value && 'decode' in value;
}

/** A field of the wire type that holds numbers; a decoder skips it where the field is something else. */
function varintField(number: number, value: bigint): number[] {
  const bytes: number[] = [];
  for (let rest of [BigInt(number << 3), BigInt.asUintN(64, value)]) {
    for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
    bytes.push(Number(rest));
  }
  return bytes;
}

const fieldNumbers = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1000, max: 1020 }));
const extremes = fc.constantFrom(2n ** 53n, 2n ** 63n - 4096n, 2n ** 63n - 1n, -1n, -(2n ** 53n), -(2n ** 63n));
const fields = fc.array(fc.tuple(fieldNumbers, fc.oneof(extremes, fc.bigInt(-(2n ** 63n), 2n ** 64n - 1n))), {
  minLength: 1,
  maxLength: 30,
});

void describe('numbers of 64 bits', () => {
  void it('decode, and what was decoded encodes, in every message', () => {
    assert.ok(types.length > 150, `only ${types.length} message types`);
    fc.assert(
      fc.property(fields, (chosen) => {
        const bytes = Uint8Array.from(chosen.flatMap(([number, value]) => varintField(number, value)));
        for (const type of types) {
          const message = type.decode(bytes);
          assert.deepEqual(type.decode(type.encode(message).finish()), message, type.$type);
        }
      }),
      { numRuns: 60 },
    );
  });

  void it('say "unlimited" and "unknown" as the greatest exact number', () => {
    const unlimited = common.CgroupMemory.decode(Uint8Array.from(varintField(1, 9223372036854771712n)));
    assert.equal(unlimited.limit, Number.MAX_SAFE_INTEGER);
    const task = common.Task.decode(Uint8Array.from(varintField(9, -1n)));
    assert.equal(knownLength(task.contentLength), undefined);
    assert.equal(knownLength(0), 0);
    assert.equal(knownLength(undefined), undefined);
  });
});
