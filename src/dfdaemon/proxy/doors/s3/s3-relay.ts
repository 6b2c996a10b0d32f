/** Passes answers of the store on to the client unchanged, except for the bucket's name where the client knows another one. */
import type { IncomingMessage } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { toDragonflyError } from '../../../../core/errors.ts';
import { noteFirstByte } from '../../client-call.ts';
import { flat } from '../../proof/answer-header.ts';
import { forwardedResponseHeader } from '../../wire/header.ts';
import { escapeXml } from './s3-refusal.ts';
import type { S3Call } from './s3-call.ts';

/** A page of a listing has at most 1,000 keys of 1 KiB, escaped. */
const namedBytes = 16 * 2 ** 20;
/** Answers to writes that are parsed here are short, but a store may send spaces while it is still working. */
const settledBytes = 2 ** 20;

/** Work to be done before the client receives the end of the answer, whose body this is. Never rejects. */
export type BeforeEnd = (body: string) => Promise<void>;

/** Always answers; a body that breaks off breaks the client's connection. */
export async function relayAnswer(call: S3Call, message: IncomingMessage, beforeEnd?: BeforeEnd): Promise<void> {
  const { response, request, record, store } = call;
  if (response.destroyed) return void message.destroy();
  const header = forwardedResponseHeader(message);
  const { 'content-type': type = '', 'content-length': length = '' } = flat(header);
  const renamed = store.name !== store.config.name && request.method !== 'HEAD' && /\bxml\b/.test(type);
  response.sendDate = false; // the store's, or none
  try {
    if (renamed && !(Number(length) > namedBytes)) return await relayRenamed(call, message, { header, beforeEnd });
    if (beforeEnd) return await relaySettled(call, message, { header, beforeEnd });
    response.writeHead(message.statusCode ?? 502, header);
    noteFirstByte(record);
    message.on('data', (block: Buffer) => (record.bytes += block.length));
    await pipeline(message, response);
  } catch (error) {
    record.error = toDragonflyError(error);
    response.destroy();
  }
}

/** Holds back the last bytes, or the header where there is no body. */
async function relaySettled(
  { response, record }: S3Call,
  message: IncomingMessage,
  { header, beforeEnd }: { readonly header: Record<string, string | string[]>; readonly beforeEnd: BeforeEnd },
): Promise<void> {
  const blocks: Buffer[] = [];
  let length = 0;
  let held: Buffer | undefined;
  const pass = (block: Buffer): void => {
    if (!response.headersSent) response.writeHead(message.statusCode ?? 502, header);
    noteFirstByte(record);
    record.bytes += block.length;
    response.write(block);
  };
  for await (const block of message as AsyncIterable<Buffer>) {
    length += block.length;
    if (length <= settledBytes) blocks.push(block);
    if (held) pass(held);
    held = block;
  }
  await beforeEnd(Buffer.concat(blocks).toString('utf8'));
  if (held) pass(held);
  if (!response.headersSent) response.writeHead(message.statusCode ?? 502, header);
  noteFirstByte(record);
  response.end();
}

async function relayRenamed(
  { response, record, store, target }: S3Call,
  message: IncomingMessage,
  {
    header,
    beforeEnd,
  }: { readonly header: Record<string, string | string[]>; readonly beforeEnd: BeforeEnd | undefined },
): Promise<void> {
  const blocks: Buffer[] = [];
  let length = 0;
  for await (const block of message) {
    blocks.push(block as Buffer);
    length += (block as Buffer).length;
    if (length > namedBytes) throw new Error('the answer of the store is too long');
  }
  const told = Buffer.concat(blocks).toString('utf8');
  await beforeEnd?.(told);
  const body = Buffer.from(withName(told, store.name, target.bucket));
  response.writeHead(message.statusCode ?? 502, { ...header, 'content-length': String(body.length) });
  noteFirstByte(record);
  record.bytes = body.length;
  response.end(body);
}

/** Replaces it in the elements that contain a bucket's name and nothing else. */
export function withName(xml: string, storeName: string, name: string): string {
  return xml.replace(/<(Name|Bucket|BucketName)>([^<]*)<\/\1>/g, (all, element: string, value: string) =>
    value === storeName ? `<${element}>${escapeXml(name)}</${element}>` : all,
  );
}
