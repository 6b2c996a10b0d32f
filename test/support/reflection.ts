/** Asks a gRPC server by reflection, as tools that know none of its messages do. */
import { Metadata } from '@grpc/grpc-js';
import type { Channels } from '../../src/rpc/channels.ts';

/** Field 7 (list_services) of ServerReflectionRequest, a text. */
export const listServices = Buffer.of(0x3a, 0);

/** Field 4 (file_containing_symbol) of ServerReflectionRequest, a text. */
export const fileOf = (symbol: string): Buffer => Buffer.concat([Buffer.of(0x22, symbol.length), Buffer.from(symbol)]);

/** The names of its services, among the bytes of the answer. */
export async function reflectedServices(channels: Channels, address: string): Promise<string> {
  const [services = ''] = await reflect(channels, address, [listServices]);
  return services;
}

/** The answers as raw bytes, one to each question. */
export async function reflect(
  channels: Channels,
  address: string,
  questions: readonly Buffer[],
  version = 'v1',
): Promise<string[]> {
  const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
  const raw = (bytes: Buffer): Buffer => bytes;
  const call = channels.get(address).client.makeBidiStreamRequest(path, raw, raw, new Metadata());
  const answers: string[] = [];
  const ended = new Promise<void>((resolve, reject) => call.on('end', resolve).on('error', reject));
  call.on('data', (bytes: Buffer) => answers.push(bytes.toString('latin1')));
  for (const question of questions) call.write(question);
  call.end();
  await ended;
  return answers;
}
