/** Explains why a download of one URL did or did not come from other nodes. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { toDragonflyError } from '../../core/errors.ts';
import { taskId } from '../../core/ids.ts';
import { compilePattern } from '../../core/pattern.ts';
import { formatBytes } from '../../core/units.ts';
import type { DaemonClient } from '../dfget/download.ts';
import { explainHubFile } from './hub-url.ts';
import { failure, ok, unchecked, warning, type Finding, type NodeConfig } from './checks.ts';

export interface UrlOptions {
  readonly url: string;
  readonly tag: string | undefined;
  readonly application: string | undefined;
  readonly config: NodeConfig;
  readonly client: DaemonClient | undefined;
  readonly schedulers: number;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
}

export async function explainUrl(options: UrlOptions): Promise<Finding[]> {
  const { url, tag, application, config, client, signal } = options;
  const file = await explainHubFile(options);
  const id = file?.taskId ?? taskId({ url, tag, application });
  const findings = [unchecked('url', `the task of this URL is ${id}`), ...(file?.findings ?? [proxyRule(config, url)])];
  if (!client) {
    return [
      ...findings,
      failure('url', 'the dfdaemon does not run, so tools go to the origin by themselves', 'Start the dfdaemon.'),
    ];
  }
  findings.push(await stored(client, id, signal), await known(client, id, options), lastReceipt(config, id));
  return findings;
}

function proxyRule({ proxy }: NodeConfig, url: string): Finding {
  const rules = [...proxy.proxies, ...proxy.rules];
  const rule = rules.find(({ regx, regex }) => {
    const text = regx ?? regex;
    return text !== undefined && compilePattern(text)?.test(url);
  });
  if (!rule) {
    return warning(
      'url',
      'the proxy forwards it plainly: no rule matches',
      'Add a rule to proxy.proxies; requests that name the registry in X-Dragonfly-Registry, and dfget, need none.',
    );
  }
  const text = `the first rule that matches is ${rule.regx ?? rule.regex}`;
  return rule.direct
    ? warning('url', `${text}, and it is direct: no P2P`, 'Remove "direct" from the rule.')
    : ok('url', text);
}

async function stored(client: DaemonClient, id: string, signal: AbortSignal): Promise<Finding> {
  try {
    const task = await client.statLocalTask({ taskId: id }, { signal });
    const size = task.contentLength === undefined ? 'of unknown size' : formatBytes(task.contentLength);
    if (task.finishedAt) return ok('url', `this node holds all of it (${size}): it is served from here, and to others`);
    return unchecked('url', `this node holds a part of it (${size} in all)`);
  } catch (error) {
    const { code, message } = toDragonflyError(error);
    if (code === 'NOT_FOUND')
      return unchecked(
        'url',
        'this node holds nothing of it; a tag, an application or other query parameters make another task',
      );
    return failure('url', `the dfdaemon cannot say what it holds: ${message}`, 'Look into its log.');
  }
}

async function known(client: DaemonClient, id: string, { schedulers, signal }: UrlOptions): Promise<Finding> {
  if (schedulers === 0) {
    return failure(
      'url',
      'no scheduler answers, so nobody can say which nodes hold it',
      'See the lines on schedulers above.',
    );
  }
  try {
    const { peerCount, hasAvailablePeer, state } = await client.statTask({ taskId: id }, { signal });
    const text = `the scheduler knows ${peerCount} peers of it${state === '' ? '' : `, state ${state}`}`;
    return hasAvailablePeer
      ? ok('url', `${text}; they can serve it`)
      : warning('url', `${text}; none of them can serve it now`, 'The next download goes to the origin.');
  } catch (error) {
    const { code, message } = toDragonflyError(error);
    if (code === 'NOT_FOUND')
      return unchecked('url', 'no other node has it: the first download of a cluster always goes to the origin');
    return warning('url', `the scheduler cannot be asked: ${message}`, 'See the lines on schedulers above.');
  }
}

interface StoredReceipt {
  readonly taskId: string;
  readonly finishedAt: string;
  readonly bytesFromOrigin: number;
  readonly bytesFromLocal: number;
  readonly parents: readonly { readonly bytes: number }[];
}

/** The last download of this task on this node, from the receipt log. */
function lastReceipt({ dataDir }: NodeConfig, id: string): Finding {
  const file = join(dataDir, 'receipts.jsonl');
  let lines: string[];
  try {
    lines = readFileSync(file, 'utf8').split('\n');
  } catch (error) {
    return unchecked('url', `there are no receipts of past downloads: ${(error as Error).message}`);
  }
  const line = lines.findLast((text) => text.includes(id));
  if (line === undefined) return unchecked('url', 'no download of it ended on this node lately');
  const receipt = JSON.parse(line) as StoredReceipt;
  const peers = receipt.parents.reduce((sum, parent) => sum + parent.bytes, 0);
  const parts = [
    `origin ${formatBytes(receipt.bytesFromOrigin)}`,
    `other nodes ${formatBytes(peers)}`,
    `this node ${formatBytes(receipt.bytesFromLocal)}`,
  ];
  const text = `its last download, ended ${receipt.finishedAt}, came from: ${parts.join(', ')}`;
  if (receipt.bytesFromOrigin === 0 || peers > 0) return ok('url', text);
  return warning(
    'url',
    text,
    'No other node had it then, or no scheduler could be asked; the log of the dfdaemon tells which.',
  );
}
