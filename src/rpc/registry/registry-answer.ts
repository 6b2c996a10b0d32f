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

export function statusError(url: string, { status, body }: Pick<RegistryAnswer, 'status' | 'body'>): DragonflyError {
  const { host, pathname } = new URL(url);
  return new DragonflyError('SOURCE_STATUS', `${host} answered ${status} for ${pathname}${reasonIn(body)}`, {
    details: { statusCode: status },
    ...(status === 401 || status === 403
      ? {
          hint: 'Give username and password, or an Authorization header, that may pull, and push where something is pushed.',
        }
      : {}),
  });
}

const longestReason = 200;

/** What a registry says about its refusal, as the specification has it: no room, for instance. */
function reasonIn(body: string): string {
  if (!body.startsWith('{') || body.length > 16_384) return '';
  try {
    const { errors } = JSON.parse(body) as { errors?: { code?: unknown; message?: unknown }[] };
    const told = [errors?.[0]?.code, errors?.[0]?.message].filter((part) => typeof part === 'string' && part !== '');
    const text = told.join(', ').replaceAll(/[^\P{C} ]/gu, ' ');
    return text === '' ? '' : `: ${text.slice(0, longestReason)}`;
  } catch {
    return '';
  }
}
