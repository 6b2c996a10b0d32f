/** Reads HTTP/1 messages of tests, forgivingly, and tells everything that was in them. Characters are bytes. */
import type { Field } from './http-script.ts';

export interface Message {
  readonly start: string;
  readonly fields: readonly Field[];
  readonly body: string;
  readonly trailers: readonly Field[];
  readonly framing: 'none' | 'length' | 'chunked' | 'close';
  /** All of it has come; false for one that breaks off, or goes on. */
  readonly whole: boolean;
  /** Characters of it. */
  readonly length: number;
}

export interface ReadOptions {
  /** Of the request, when this is an answer to it. */
  readonly method?: string;
  /** Nothing more will come. */
  readonly ended?: boolean;
}

/** Undefined until the header is whole. @param text begins with the message. */
export function readMessage(text: string, { method, ended = false }: ReadOptions = {}): Message | undefined {
  const head = /^[^]*?\r?\n\r?\n/.exec(text)?.[0];
  if (head === undefined) return undefined;
  const [start = '', ...lines] = head.replace(/\r?\n(?=[ \t])/g, '').split(/\r?\n/);
  const fields = fieldsOf(lines);
  const rest = text.slice(head.length);
  const of = (
    framing: Message['framing'],
    length: number,
    whole: boolean,
    body = rest.slice(0, length),
    trailers: readonly Field[] = [],
  ): Message => ({ start, fields, body, trailers, framing, whole, length: head.length + length });
  const status = Number(/^HTTP\/1\.. (\d+)/.exec(start)?.[1] ?? Number.NaN);
  if (method === 'HEAD' || status < 200 || status === 204 || status === 304) return of('none', 0, true);
  if (/chunked/i.test(valueOf(fields, 'transfer-encoding') ?? '')) {
    const { body, trailers, length, whole } = readChunks(rest);
    return of('chunked', length, whole, body, trailers);
  }
  const length = valueOf(fields, 'content-length');
  if (length !== undefined) return of('length', Math.min(Number(length), rest.length), rest.length >= Number(length));
  return Number.isNaN(status) ? of('none', 0, true) : of('close', rest.length, ended);
}

export function valueOf(fields: readonly Field[], wanted: string): string | undefined {
  return fields.find(([name]) => name.toLowerCase() === wanted)?.[1];
}

function fieldsOf(lines: readonly string[]): Field[] {
  return lines.flatMap((line): Field[] => {
    const colon = line.indexOf(':');
    return colon < 0 ? [] : [[line.slice(0, colon), line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '')]];
  });
}

function readChunks(text: string): { body: string; trailers: Field[]; length: number; whole: boolean } {
  let body = '';
  for (let at = 0; ;) {
    const line = /^([0-9a-f]+)[^\n]*\n/i.exec(text.slice(at, at + 400));
    if (!line) return { body, trailers: [], length: text.length, whole: false };
    at += line[0].length;
    const size = Number.parseInt(line[1] ?? '', 16);
    if (size === 0) {
      const end = /^(?:[^\r\n]+\r\n)*\r\n/.exec(text.slice(at))?.[0];
      if (end === undefined) return { body, trailers: [], length: text.length, whole: false };
      return { body, trailers: fieldsOf(end.split('\r\n')), length: at + end.length, whole: true };
    }
    body += text.slice(at, at + size);
    at += size + 2;
    if (at > text.length) return { body, trailers: [], length: text.length, whole: false };
  }
}
