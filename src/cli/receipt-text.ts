/** Where the bytes of downloads came from, as text for people and as JSON for programs. */
import { formatBytes, formatDurationMs } from '../core/units.ts';
import type { FileResult } from './dfget/download.ts';

/** One JSON object per file, or bundle of small ones, one line each; durations in milliseconds. */
export function receiptJson({ url, taskId, contentLengthBytes, files, receipt }: FileResult): string {
  if (!receipt)
    return JSON.stringify({ url, contentLengthBytes, bytesFromOrigin: contentLengthBytes, viaDaemon: false });
  return JSON.stringify({
    url,
    ...(files !== undefined && { files }),
    taskId,
    contentLengthBytes,
    viaDaemon: true,
    bytesFromOrigin: receipt.bytesFromOrigin,
    originRequests: receipt.originRequests,
    bytesFromLocal: receipt.bytesLocal,
    parents: receipt.parents,
    retries: receipt.retries,
    costMs: milliseconds(receipt.cost),
    digest: receipt.digest || undefined,
  });
}

export function receiptText({ url, taskId, contentLengthBytes, files, receipt }: FileResult): string {
  const what = files === undefined ? url : `${url}, a bundle of ${count(files, 'file')}`;
  const lines = [`${what}: ${formatBytes(contentLengthBytes)}`];
  if (!receipt) return [...lines, `  ${formatBytes(contentLengthBytes)} straight from the origin`, ''].join('\n');
  const row = (bytes: number, from: string): void => {
    if (bytes > 0) lines.push(`  ${formatBytes(bytes).padStart(10)}  ${share(bytes, contentLengthBytes)}  ${from}`);
  };
  row(receipt.bytesLocal, 'already on this node');
  for (const { peerId, hostName, hostIp, bytes, pieces } of receipt.parents) {
    row(
      bytes,
      `from ${hostName || hostIp || peerId}${hostName && hostIp ? ` (${hostIp})` : ''}, ${count(pieces, 'piece')}`,
    );
  }
  row(receipt.bytesFromOrigin, `from the origin in ${count(receipt.originRequests, 'request')}`);
  const digest = receipt.digest === '' ? 'no digest was given' : `${receipt.digest} verified`;
  const retries = receipt.retries === 0 ? '' : `, ${count(receipt.retries, 'retry', 'retries')}`;
  lines.push(`  in ${formatDurationMs(milliseconds(receipt.cost))}${retries}; ${digest}`, `  task ${taskId ?? ''}`, '');
  return lines.join('\n');
}

function share(bytes: number, total: number): string {
  return `${Math.round((100 * bytes) / Math.max(1, total))} %`.padStart(5);
}

function count(number: number, noun: string, plural = `${noun}s`): string {
  return `${number} ${number === 1 ? noun : plural}`;
}

function milliseconds(duration: { readonly seconds: number; readonly nanos: number } | undefined): number {
  return duration ? duration.seconds * 1000 + duration.nanos / 1e6 : 0;
}
