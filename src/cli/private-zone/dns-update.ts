/** Messages of DNS UPDATE (RFC 2136), signed by TSIG (RFC 8945) with HMAC-SHA-256. No I/O. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { isIPv4 } from 'node:net';
import { DragonflyError } from '../../core/errors.ts';

export interface TsigKey {
  /** The name under which the server knows the key. */
  readonly name: string;
  readonly secret: Buffer;
}

export interface Records {
  /** The name of the zone, such as `p2p.example.org`. */
  readonly zone: string;
  /** A fully qualified name in the zone. */
  readonly name: string;
  readonly ttlSeconds: number;
  /** The complete set of addresses for the name; an empty one removes the name. */
  readonly addresses: readonly string[];
}

export interface SignedMessage {
  readonly bytes: Buffer;
  readonly id: number;
  /** The request's MAC, which the signature of the answer includes. */
  readonly mac: Buffer | undefined;
}

const types = { A: 1, SOA: 6, AAAA: 28, TSIG: 250 } as const;
const classes = { IN: 1, ANY: 255 } as const;
const updateOpcode = 5;
const algorithm = 'hmac-sha256';
/** How far the two clocks may differ, in seconds. */
const fudgeSeconds = 300;
const headerBytes = 12;

const responseCodes: Readonly<Record<number, string>> = {
  1: 'FORMERR: it does not understand the message',
  2: 'SERVFAIL: it cannot write the zone',
  4: 'NOTIMP: it takes no updates',
  5: 'REFUSED: it does not let this key update the zone',
  9: 'NOTAUTH: it is not the primary server of the zone, or does not know the key',
  10: 'NOTZONE: the name is not in the zone',
  16: 'BADSIG: the secret of the key is another',
  17: 'BADKEY: it does not know the key',
  18: 'BADTIME: its clock differs by more than five minutes',
};

/** Replaces the name's addresses by the given ones, as a single change. */
export function updateMessage(records: Records, key: TsigKey | undefined, id: number, nowMs: number): SignedMessage {
  const { zone, name, ttlSeconds, addresses } = records;
  const updates = [
    record(name, types.A, classes.ANY, 0, Buffer.alloc(0)),
    record(name, types.AAAA, classes.ANY, 0, Buffer.alloc(0)),
    ...addresses.map((address) =>
      record(name, isIPv4(address) ? types.A : types.AAAA, classes.IN, ttlSeconds, addressBytes(address)),
    ),
  ];
  const head = header({ id, zones: 1, updates: updates.length, additional: 0 });
  const message = Buffer.concat([head, wireName(zone), shorts(types.SOA, classes.IN), ...updates]);
  if (!key) return { bytes: message, id, mac: undefined };
  const time = Math.floor(nowMs / 1000);
  const mac = macOf(key, [message, tsigVariables(key, time, 0, Buffer.alloc(0))]);
  const signed = Buffer.concat([message, tsigRecord(key, { time, mac, id })]);
  signed.writeUInt16BE(1, 10);
  return { bytes: signed, id, mac };
}

/** Throws UNAVAILABLE with the server's error, UNAUTHENTICATED when the answer is not signed with the key. */
export function checkAnswer(answer: Buffer, { id, mac }: SignedMessage, key: TsigKey | undefined): void {
  if (answer.length < headerBytes || answer.readUInt16BE(0) !== id || (answer.readUInt8(2) & 0x80) === 0)
    throw new DragonflyError('PROTOCOL', 'the DNS server answers something else');
  const code = answer.readUInt8(3) & 15;
  const tsig = key && mac ? findTsig(answer) : undefined;
  const refusal = responseCodes[tsig && tsig.error > 0 ? tsig.error : code];
  if (code !== 0)
    throw new DragonflyError('UNAVAILABLE', `the DNS server refuses the update: ${refusal ?? `code ${code}`}`, {
      hint: 'See allow-update or update-policy of the zone, and the key.',
    });
  if (!key || !mac) return;
  if (!tsig) throw unsigned();
  const { start, time, fudge, error, other } = tsig;
  const message = Buffer.from(answer.subarray(0, start));
  message.writeUInt16BE(answer.readUInt16BE(10) - 1, 10);
  const expected = macOf(key, [shorts(mac.length), mac, message, tsigVariables(key, time, error, other, fudge)]);
  if (tsig.mac.length !== expected.length || !timingSafeEqual(tsig.mac, expected)) throw unsigned();
}

function unsigned(): DragonflyError {
  return new DragonflyError('UNAUTHENTICATED', 'the answer of the DNS server is not signed with the key', {
    hint: 'Somebody else answers at this address, or the secret is another.',
  });
}

interface Tsig {
  /** Where its record begins. */
  readonly start: number;
  readonly time: number;
  readonly fudge: number;
  readonly mac: Buffer;
  readonly error: number;
  readonly other: Buffer;
}

/** The TSIG record must be the last one of the message. */
function findTsig(message: Buffer): Tsig | undefined {
  try {
    let at = headerBytes;
    for (let count = message.readUInt16BE(4); count > 0; count -= 1) at = afterName(message, at) + 4;
    const records = message.readUInt16BE(6) + message.readUInt16BE(8) + message.readUInt16BE(10);
    for (let index = 0; index < records; index += 1) {
      const start = at;
      const fields = afterName(message, at);
      const data = fields + 10;
      at = data + message.readUInt16BE(fields + 8);
      if (index < records - 1 || message.readUInt16BE(fields) !== types.TSIG) continue;
      const rest = afterName(message, data);
      const macLength = message.readUInt16BE(rest + 8);
      const tail = rest + 10 + macLength;
      return {
        start,
        time: message.readUIntBE(rest, 6),
        fudge: message.readUInt16BE(rest + 6),
        mac: message.subarray(rest + 10, tail),
        error: message.readUInt16BE(tail + 2),
        other: message.subarray(tail + 6, tail + 6 + message.readUInt16BE(tail + 4)),
      };
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  return undefined;
}

function afterName(message: Buffer, start: number): number {
  for (let at = start; ;) {
    const length = message.readUInt8(at);
    if (length === 0) return at + 1;
    // A pointer to an earlier name ends the name.
    if (length >= 0xc0) return at + 2;
    at += 1 + length;
  }
}

function header(counts: { id: number; zones: number; updates: number; additional: number }): Buffer {
  return shorts(counts.id, updateOpcode << 11, counts.zones, 0, counts.updates, counts.additional);
}

function record(name: string, type: number, kind: number, ttlSeconds: number, data: Buffer): Buffer {
  const ttl = Buffer.alloc(4);
  ttl.writeUInt32BE(ttlSeconds);
  return Buffer.concat([wireName(name), shorts(type, kind), ttl, shorts(data.length), data]);
}

function tsigRecord(key: TsigKey, { time, mac, id }: { time: number; mac: Buffer; id: number }): Buffer {
  const data = [wireName(algorithm), time48(time), shorts(fudgeSeconds, mac.length), mac, shorts(id, 0, 0)];
  return record(key.name, types.TSIG, classes.ANY, 0, Buffer.concat(data));
}

function tsigVariables(key: TsigKey, time: number, error: number, other: Buffer, fudge = fudgeSeconds): Buffer {
  const ttl = Buffer.alloc(4);
  return Buffer.concat([
    wireName(key.name),
    shorts(classes.ANY),
    ttl,
    wireName(algorithm),
    time48(time),
    shorts(fudge, error, other.length),
    other,
  ]);
}

function macOf({ secret }: TsigKey, parts: readonly Buffer[]): Buffer {
  const hmac = createHmac('sha256', secret);
  for (const part of parts) hmac.update(part);
  return hmac.digest();
}

/** In lower case, because signatures are computed that way. Throws INVALID_ARGUMENT. */
function wireName(name: string): Buffer {
  const labels = name.toLowerCase().replace(/\.$/, '').split('.');
  if (labels.some((label) => !/^[a-z0-9_*-]{1,63}$/.test(label)) || name.length > 253)
    throw new DragonflyError('INVALID_ARGUMENT', `"${name}" is no name of DNS`);
  return Buffer.concat([
    ...labels.map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label, 'latin1')])),
    Buffer.from([0]),
  ]);
}

function addressBytes(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number));
  // The URL parser converts every form of an address to the shortest one.
  const short = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  const [head = '', tail] = short.split('::');
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'));
  const before = groups(head);
  const after = tail === undefined ? [] : groups(tail);
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0');
  return shorts(...[...before, ...zeros, ...after].map((group) => Number.parseInt(group, 16)));
}

function shorts(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 2);
  values.forEach((value, index) => bytes.writeUInt16BE(value, index * 2));
  return bytes;
}

function time48(seconds: number): Buffer {
  const bytes = Buffer.alloc(6);
  bytes.writeUIntBE(seconds, 0, 6);
  return bytes;
}
