/** An answer of a registry, or of its token service. */
import type { Dispatcher } from 'undici';
import { DragonflyError } from '../../core/errors.ts';
import { maxManifestBytes } from './limits.ts';

export interface RegistryAnswer {
  readonly status: number;
  readonly header: (name: string) => string | undefined;
  readonly body: string;
  /** The response came from another origin than the requested one. */
  readonly foreign: boolean;
}

export interface RegistryReader {
  /** GET with redirects; headers that may be secret are only sent to the first origin. */
  get(url: string, header: Readonly<Record<string, string>>, signal: AbortSignal): Promise<RegistryAnswer>;
}

/** Throws PROTOCOL when it is longer than any manifest or token. */
export async function readAnswer(
  url: URL,
  response: Dispatcher.ResponseData,
  { foreign }: Pick<RegistryAnswer, 'foreign'>,
): Promise<RegistryAnswer> {
  const { statusCode, body } = response;
  const chunks: Buffer[] = [];
  let lengthBytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    lengthBytes += chunk.length;
    if (lengthBytes > maxManifestBytes) {
      throw new DragonflyError('PROTOCOL', `the answer of ${url.host} is longer than ${maxManifestBytes} bytes`);
    }
    chunks.push(chunk);
  }
  return { status: statusCode, foreign, header: headerOf(response), body: Buffer.concat(chunks).toString('utf8') };
}

export function headerOf({ headers }: Pick<Dispatcher.ResponseData, 'headers'>): RegistryAnswer['header'] {
  return (name) => {
    const value = headers[name];
    return Array.isArray(value) ? value.join(', ') : value;
  };
}

export function statusError(url: string, { status }: RegistryAnswer): DragonflyError {
  return new DragonflyError('SOURCE_STATUS', `${new URL(url).host} answered ${status} for ${new URL(url).pathname}`, {
    details: { statusCode: status },
    ...(status === 401 || status === 403
      ? {
          hint: 'Give username and password, or an Authorization header, that may pull, and push where something is pushed.',
        }
      : {}),
  });
}
