/** Plays a script as a client of HTTP/2, and tells what came of it in the words of HTTP/1. */
import { connect as connectHttp2, type ClientHttp2Stream, type IncomingHttpHeaders } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import type { Message } from './http-message.ts';
import type { Field, Script } from './http-script.ts';
import { bytes } from './raw-http.ts';
import type { Outcome } from './scripted-exchange.ts';

const deadlineMs = 20_000;
/** Half of what Node's client takes, in which a field counts for more than its characters. */
const headerBytes = 32 * 1024;

/**
 * What Node's client of HTTP/2 can say: it waits for no expectation, has no version 1.0, no raw quotes in a path, and refuses to
 * repeat most fields.
 */
export function isForHttp2({ expect, version, target, fields, body, answer }: Script): boolean {
  const repeats = (said: readonly Field[]): boolean => {
    const names = said.map(([name]) => name.toLowerCase()).filter((name) => name !== 'cookie');
    return new Set(names).size < names.length;
  };
  if (repeats(fields) || repeats(body.trailers)) return false;
  const answerBytes = answer.fields.reduce((sum, [name, value]) => sum + name.length + value.length, 0);
  if (answerBytes > headerBytes) return false;
  const isSayable = expect === undefined && version === '1.1' && !answer.early;
  return isSayable && /^[\w%/.?&=;:@!$'()*+,~-]+$/.test(target);
}

/** One exchange over a connection of its own. */
export async function playHttp2(secure: TLSSocket, host: string, script: Script): Promise<Outcome> {
  const session = connectHttp2(`https://${host}`, { createConnection: () => secure, maxHeaderListPairs: 2000 });
  session.on('error', () => undefined);
  try {
    const { method, target, fields, body } = script;
    const length: Field[] = body.kind === 'length' ? [['content-length', String(body.parts.join('').length)]] : [];
    const pseudo: Field[] = [
      [':method', method],
      [':scheme', 'https'],
      [':authority', host],
      [':path', target],
    ];
    const lower = [...fields, ...length].map(([name, value]): Field => [name.toLowerCase(), value]);
    const stream = session.request([...pseudo, ...lower].flat(), {
      endStream: body.kind === 'none',
      waitForTrailers: body.trailers.length > 0,
    });
    stream.on('wantTrailers', () => stream.sendTrailers(grouped(body.trailers)));
    const outcome = outcomeOf(stream);
    if (body.kind !== 'none') {
      for (const part of body.parts) stream.write(bytes(part));
      stream.end();
    }
    return await outcome;
  } finally {
    session.destroy();
  }
}

function grouped(fields: readonly Field[]): Record<string, string[]> {
  const byName: Record<string, string[]> = {};
  for (const [name, value] of fields) (byName[name.toLowerCase()] ??= []).push(value);
  return byName;
}

function outcomeOf(stream: ClientHttp2Stream): Promise<Outcome> {
  const interim: Message[] = [];
  let answer: { status: string; fields: Field[] } | undefined;
  let trailers: Field[] = [];
  let body = '';
  let whole = false;
  const messageOf = (status: string, fields: readonly Field[]): Message => {
    return { start: `HTTP/2 ${status}`, fields, body, trailers, framing: 'none', whole, length: 0 };
  };
  stream.on('headers', (headers: IncomingHttpHeaders, _flags: number, raw: string[]) => {
    interim.push(messageOf(String(headers[':status']), pairsOf(raw)));
  });
  stream.on('response', (headers: IncomingHttpHeaders, _flags: number, raw: string[]) => {
    answer = { status: String(headers[':status']), fields: pairsOf(raw) };
  });
  stream.on('trailers', (_headers: IncomingHttpHeaders, _flags: number, raw: string[]) => (trailers = pairsOf(raw)));
  stream.on('data', (block: Buffer) => (body += block.toString('latin1')));
  stream.on('end', () => (whole = stream.rstCode === 0));
  const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
  const timer = setTimeout(
    () => reject(new Error(`no answer in time by HTTP/2; so far: ${body.slice(0, 500)}`)),
    deadlineMs,
  );
  stream.on('error', () => (whole = false));
  stream.on('close', () => {
    clearTimeout(timer);
    resolve({ interim, answer: answer && messageOf(answer.status, answer.fields) });
  });
  return promise;
}

function pairsOf(raw: readonly string[]): Field[] {
  const fields: Field[] = [];
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] ?? '';
    if (!name.startsWith(':')) fields.push([name, raw[at + 1] ?? '']);
  }
  return fields;
}
