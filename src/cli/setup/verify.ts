/** Tests the way through the proxy: a real request for each registry. */
import { request } from 'undici';
import { z } from 'zod';
import { DragonflyError } from '../../core/errors.ts';

const verifyTimeoutMs = 10_000;

/** Without registries, only the proxy itself has to answer. Throws DAEMON_UNREACHABLE, or SOURCE_UNREACHABLE with the reason. */
export async function verifyWay(proxyUrl: string, registries: readonly string[], signal: AbortSignal): Promise<void> {
  if (registries.length === 0) return void (await ask(`${proxyUrl}/v2/`, undefined, signal));
  for (const registry of registries) {
    const { statusCode, text } = await ask(`${proxyUrl}/v2/`, registry, signal);
    // 401 comes from a registry that wants a login, so the way works
    if (statusCode === 200 || statusCode === 401) continue;
    throw new DragonflyError(
      'SOURCE_UNREACHABLE',
      `the proxy answers ${statusCode} for ${registry}: ${text.trim().slice(0, 500)}`,
      {
        hint: 'Check the name of the registry and whether this node reaches it.',
      },
    );
  }
}

const description = z.object({ service: z.literal('dragonfly'), doors: z.record(z.string(), z.string()) });

/** The URLs of the daemon's open doors. Throws DAEMON_UNREACHABLE when nothing answers there. */
export async function openDoors(proxyUrl: string, signal: AbortSignal): Promise<Readonly<Record<string, string>>> {
  const url = `${proxyUrl}/.well-known/dragonfly`;
  const { statusCode, text } = await ask(url, undefined, signal);
  const told = statusCode === 200 ? description.safeParse(parsed(text)).data : undefined;
  if (!told) {
    throw new DragonflyError(
      'DAEMON_UNREACHABLE',
      `what answers at ${new URL(url).origin} is no dfdaemon of this release`,
      {
        hint: 'Name the proxy of the dfdaemon with --proxy.',
      },
    );
  }
  return Object.fromEntries(
    Object.entries(told.doors).map(([name, at]) => [name, new URL(at, url).href.replace(/\/$/, '')]),
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function ask(
  url: string,
  registry: string | undefined,
  signal: AbortSignal,
): Promise<{ statusCode: number; text: string }> {
  try {
    const { statusCode, body } = await request(url, {
      headers: registry === undefined ? {} : { 'x-dragonfly-registry': registry },
      signal: AbortSignal.any([signal, AbortSignal.timeout(verifyTimeoutMs)]),
    });
    return { statusCode, text: await body.text() };
  } catch (error) {
    throw new DragonflyError(
      'DAEMON_UNREACHABLE',
      `no proxy answers at ${new URL(url).origin}: ${(error as Error).message}`,
      {
        cause: error,
        hint: 'Start the dfdaemon, or name its proxy with --proxy.',
      },
    );
  }
}
