/** The receipt of a download on all nodes, for people, and the verdict on it. */
import { formatBytes, formatDurationMs } from '../../core/units.ts';
import type { NodeResult } from './download.ts';

export interface OriginCount {
  readonly bytesSent: number;
  readonly requests: number;
}

/** In a wider table the sending nodes share one column. */
const maxColumns = 80;
/** How many copies the origin may send, re-requests after a failure included, before that counts as a difference. */
const maxCopies = 1.02;

/** The sum of what the nodes report; used when the origin itself does not count. */
export function originCountOf(results: readonly NodeResult[]): OriginCount {
  return {
    bytesSent: results.reduce((sum, result) => sum + result.bytesFromOrigin, 0),
    requests: results.reduce((sum, result) => sum + result.originRequests, 0),
  };
}

export function receiptTable(results: readonly NodeResult[], expectedSha256: string): string {
  // In the order of the rows, so that the table reads like a matrix; a node outside this cluster comes last.
  const gave = new Set(results.flatMap((result) => [...result.bytesFromNode.keys()]));
  const givers = [...gave].sort((a, b) => rowOf(results, a) - rowOf(results, b));
  const separate = table(results, expectedSha256, givers);
  return separate.indexOf('\n') <= maxColumns ? separate : table(results, expectedSha256, undefined);
}

/** @param givers nodes with a column of their own; undefined puts them all into one. */
function table(results: readonly NodeResult[], expectedSha256: string, givers: readonly string[] | undefined): string {
  const header = ['node', 'time', 'origin', ...(givers ?? ['other nodes']), 'local', 'sha256'];
  const rows = results.map((result) => {
    const { bytesFromNode: from } = result;
    const given = givers?.map((name) => from.get(name) ?? 0) ?? [
      [...from.values()].reduce((sum, bytes) => sum + bytes, 0),
    ];
    return [
      result.node,
      formatDurationMs(result.costMs),
      ...[result.bytesFromOrigin, ...given, result.bytesLocal].map((bytes) => (bytes === 0 ? '-' : formatBytes(bytes))),
      result.sha256 === expectedSha256 ? 'verified' : `DIFFERS ${result.sha256.slice(0, 12)}…`,
    ];
  });
  return aligned([header, ...rows]);
}

/** `origin sent 1.00 copies in 1 request`. */
export function originSentence({ bytesSent, requests }: OriginCount, contentLengthBytes: number): string {
  const copies = contentLengthBytes === 0 ? 0 : bytesSent / contentLengthBytes;
  return `origin sent ${copies.toFixed(2)} copies in ${requests} request${requests === 1 ? '' : 's'}`;
}

/** `4 nodes got 200 MiB each, the origin sent 200 MiB: 600 MiB saved`. */
export function savingSentence({ bytesSent }: OriginCount, results: readonly NodeResult[]): string {
  const length = results[0]?.contentLengthBytes ?? 0;
  const saved = Math.max(0, results.length * length - bytesSent);
  const nodes = `${results.length} node${results.length === 1 ? '' : 's'} got ${formatBytes(length)} each`;
  return `${nodes}, the origin sent ${formatBytes(bytesSent)}: ${formatBytes(saved)} saved`;
}

/** What is not as expected, one sentence each; empty when everything is. */
export function differences(
  results: readonly NodeResult[],
  expectedSha256: string,
  origin: OriginCount,
): readonly string[] {
  const wrong = results
    .filter((result) => result.sha256 !== expectedSha256)
    .map((result) => `${result.node} has other bytes than the origin`);
  const length = results[0]?.contentLengthBytes ?? 0;
  if (origin.bytesSent > maxCopies * length) wrong.push(`the origin sent more than ${maxCopies} copies`);
  return wrong;
}

function rowOf(results: readonly NodeResult[], name: string): number {
  const row = results.findIndex(({ node }) => node === name);
  return row < 0 ? results.length : row;
}

/** The first column is left-aligned, the others are right-aligned because they are numbers. */
function aligned(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  const cell = (text: string, column: number): string =>
    column === 0 ? text.padEnd(widths[column] ?? 0) : text.padStart(widths[column] ?? 0);
  return rows.map((row) => row.map(cell).join('  ')).join('\n');
}
