/** The `X-Dragonfly-*` headers of a request: read, validated, and removed before anything is forwarded. */
import type { IncomingHttpHeaders } from 'node:http';
import { DragonflyError } from '../../core/errors.ts';
import { minPieceLengthBytes } from '../../core/piece-layout.ts';
import { parseBytes } from '../../core/units.ts';

/** What one request says about how it is handled; undefined means that the configuration decides. */
export interface RequestOptions {
  readonly registry: string | undefined;
  readonly usePeers: boolean | undefined;
  readonly tag: string | undefined;
  readonly application: string | undefined;
  readonly priority: number | undefined;
  readonly filteredQueryParams: readonly string[] | undefined;
  readonly prefetch: boolean | undefined;
  readonly pieceLengthBytes: number | undefined;
  readonly contentForCalculatingTaskId: string | undefined;
  readonly blobDigestAsId: boolean | undefined;
}

const prefix = 'x-dragonfly-';
const maxTextLength = 1024;

/** Throws INVALID_ARGUMENT for an invalid value, and PERMISSION_DENIED for a value that only the local socket may use. */
export function readRequestOptions(header: IncomingHttpHeaders): RequestOptions {
  const text = (name: string): string | undefined => {
    const value = header[prefix + name];
    const single = Array.isArray(value) ? value[0] : value;
    if (single === undefined || single === '') return undefined;
    if (single.length > maxTextLength) throw invalid(name, `is longer than ${maxTextLength} characters`);
    return single;
  };
  const flag = (name: string): boolean | undefined => {
    const value = text(name)?.trim().toLowerCase();
    if (value === undefined || value === 'true' || value === 'false')
      return value === undefined ? undefined : value === 'true';
    throw invalid(name, 'must be true or false');
  };
  for (const name of ['output-path', 'force-hard-link']) {
    if (text(name) === undefined) continue;
    throw new DragonflyError('PERMISSION_DENIED', `the header X-Dragonfly-${titled(name)} is not served over HTTP`, {
      hint: 'Use dfget on the node: files are only written for callers of the local socket.',
    });
  }
  return {
    registry: text('registry'),
    usePeers: flag('use-p2p'),
    tag: text('tag'),
    application: text('application'),
    priority: priority(text('priority')),
    filteredQueryParams: text('filtered-query-params')?.split(',').map(trim) ?? text('filter')?.split('&').map(trim),
    prefetch: flag('prefetch'),
    pieceLengthBytes: pieceLength(text('piece-length')),
    contentForCalculatingTaskId: text('content-for-calculating-task-id'),
    blobDigestAsId: flag('enable-task-id-based-blob-digest'),
  };
}

export function isControlHeader(name: string): boolean {
  return name.startsWith(prefix);
}

function priority(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (!/^[0-6]$/.test(value.trim())) throw invalid('priority', 'must be a number from 0 to 6');
  return Number(value);
}

function pieceLength(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const length = parseBytes(value);
  if (length < minPieceLengthBytes) throw invalid('piece-length', 'must be at least 4MiB');
  return length;
}

function invalid(name: string, what: string): DragonflyError {
  return new DragonflyError('INVALID_ARGUMENT', `the header X-Dragonfly-${titled(name)} ${what}`, {
    hint: 'docs/proxy.md lists the headers and their values.',
  });
}

function titled(name: string): string {
  return name.replace(/(^|-)([a-z])/g, (_, dash: string, letter: string) => dash + letter.toUpperCase());
}

function trim(text: string): string {
  return text.trim();
}
