/** Whether the way through the proxy works: a real request for each registry. */
import { request } from 'undici';
import { DragonflyError } from '../../core/errors.ts';

const verifyTimeoutMs = 10_000;

/** Without registries only the proxy itself has to answer. DAEMON_UNREACHABLE, or SOURCE_UNREACHABLE with the reason. */
export async function verifyWay(proxyUrl: string, registries: readonly string[], signal: AbortSignal): Promise<void> {
  if (registries.length === 0) return void (await ask(`${proxyUrl}/v2/`, undefined, signal));
  for (const registry of registries) {
    const { statusCode, text } = await ask(`${proxyUrl}/v2/`, registry, signal);
    // 401 is a registry that wants a login: the way works
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
