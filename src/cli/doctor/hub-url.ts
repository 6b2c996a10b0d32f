/** A file of a model hub: asks the hub through this node's door, on behalf of this user, which task the file is. */
import { request } from 'undici';
import { parseUrl, taskId } from '../../core/ids.ts';
import { formatBytes } from '../../core/units.ts';
import { failure, ok, proxyListen, unchecked, warning, type Finding, type NodeConfig } from './checks.ts';

export interface HubFileOptions {
  readonly url: string;
  readonly config: NodeConfig;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
}

export interface HubFileExplained {
  readonly findings: readonly Finding[];
  /** Undefined when the hub reports no digest by which nodes could share the file. */
  readonly taskId: string | undefined;
}

const askTimeoutMs = 15_000;

/** Undefined for a URL that is not a file of the configured hub. */
export async function explainHubFile({
  url,
  config,
  env,
  signal,
}: HubFileOptions): Promise<HubFileExplained | undefined> {
  const { huggingface } = config.doors;
  const path = pathAtHub(url, huggingface.endpoint);
  if (path === undefined) return undefined;
  if (!config.proxy.enable || !huggingface.enable) {
    const text = 'a file of a model hub, but this node has no door for it: its clients go to the hub themselves';
    return { findings: [warning('url', text, 'Set doors.huggingface.enable.')], taskId: undefined };
  }
  const { port } = proxyListen(config);
  const door = `http://127.0.0.1:${typeof port === 'number' ? port : port.start}/hf`;
  const findings = [wayOfClients(env['HF_ENDPOINT'], door)];
  const token = env['HF_TOKEN'];
  try {
    const { statusCode, headers } = await request(`${door}${path}`, {
      method: 'HEAD',
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      signal: AbortSignal.any([signal, AbortSignal.timeout(askTimeoutMs)]),
    });
    return described(statusCode, headers, { findings, withToken: token !== undefined });
  } catch (error) {
    const text = `the door at ${door} cannot be asked: ${(error as Error).message}`;
    return { findings: [...findings, failure('url', text, 'Start the dfdaemon.')], taskId: undefined };
  }
}

/** Accepts `hf://owner/name/file`, a file's page at the hub, or its address at a door. */
function pathAtHub(text: string, endpoint: string): string | undefined {
  const [, kind = '', repository, revision = 'main', file] =
    /^hf:\/\/(datasets\/|spaces\/|models\/)?([^/@]+\/[^/@]+)(?:@([^/]+))?\/(.+)$/.exec(text) ?? [];
  if (repository !== undefined) return `/${kind.replace('models/', '')}${repository}/resolve/${revision}/${file}`;
  const url = parseUrl(text);
  const base = new URL(endpoint.replace(/\/*$/, '/'));
  const isHub = url.origin === base.origin && url.pathname.startsWith(base.pathname);
  const rest = isHub ? `/${url.pathname.slice(base.pathname.length)}` : /^\/hf(\/.+)/.exec(url.pathname)?.[1];
  return rest !== undefined && /\/resolve\/[^/]+\/./.test(rest) ? rest : undefined;
}

function wayOfClients(endpoint: string | undefined, door: string): Finding {
  if (endpoint?.replace(/\/+$/, '') === door) return ok('url', 'HF_ENDPOINT leads clients of this shell to the door');
  const text =
    endpoint === undefined
      ? 'HF_ENDPOINT is not set here: clients of this shell go past the door'
      : `HF_ENDPOINT is ${endpoint}, not the door of this node`;
  return warning('url', text, `export HF_ENDPOINT=${door}, or: dragonfly setup huggingface --apply`);
}

function described(
  statusCode: number,
  headers: Readonly<Record<string, string | string[] | undefined>>,
  { findings, withToken }: { readonly findings: readonly Finding[]; readonly withToken: boolean },
): HubFileExplained {
  const told = (name: string): string => String(headers[name] ?? '');
  if (statusCode !== 200) {
    const code = told('x-error-code') || told('x-error-message');
    const whom = withToken ? 'the token in HF_TOKEN' : 'nobody in particular (HF_TOKEN is not set)';
    const text = `the hub answers ${statusCode}${code === '' ? '' : ` (${code})`} to ${whom}`;
    return {
      findings: [...findings, failure('url', text, 'Set HF_TOKEN, or ask the owner for access.')],
      taskId: undefined,
    };
  }
  const etag = told('etag').replaceAll('"', '');
  const name = /^[0-9a-f]{64}$/.test(etag) ? 'sha256' : /^[0-9a-f]{40}$/.test(etag) ? 'git-blob' : undefined;
  const size = formatBytes(Number(told('content-length')));
  if (name === undefined) {
    const text = `the hub names its content (${size}) by nothing that can be checked, so it is asked about it each time`;
    return { findings: [...findings, unchecked('url', text)], taskId: undefined };
  }
  const id = taskId({ url: '', contentForCalculatingTaskId: `dragonfly:${name}:${etag}` });
  const text = `the hub names its content ${name}:${etag} (${size}, commit ${told('x-repo-commit')}): one task for all`;
  return { findings: [...findings, ok('url', text)], taskId: id };
}
