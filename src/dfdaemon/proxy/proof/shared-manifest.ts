/** A registry's answer about a manifest, in the form shared with other nodes. */
import { z } from 'zod';
import { proxyLimits } from '../limits.ts';

/** As the registry wrote it. */
export interface ManifestAnswer {
  readonly statusCode: number;
  readonly statusMessage: string;
  /** Undefined for a manifest that was read from nodes. */
  readonly lines: readonly string[] | undefined;
  readonly header: Readonly<Record<string, string | string[]>>;
  /** Undefined for an answer without one (HEAD). */
  readonly body: Buffer | undefined;
}

export const sharedManifest = z.object({
  statusMessage: z.string(),
  lines: z.array(z.string()),
  header: z.record(z.string(), z.union([z.string(), z.array(z.string())])),
  body: z.base64().optional(),
});

export type SharedManifest = z.output<typeof sharedManifest>;

/** Undefined for an answer that is private to one caller or does not come from the registry. @param ttlMs how long it counts for other callers */
export function manifestToTell(
  { statusCode, statusMessage, lines, header, body }: ManifestAnswer,
  ttlMs: number,
): { readonly value: SharedManifest; readonly ttlMs: number } | undefined {
  const isOwn = 'set-cookie' in header || 'warning' in header;
  if (statusCode !== 200 || !lines || isOwn || (body?.length ?? 0) > proxyLimits.sharedManifestBytes) return undefined;
  return { value: { statusMessage, lines: [...lines], header, body: body?.toString('base64') }, ttlMs };
}

export function manifestFromOther({ body, ...told }: SharedManifest): ManifestAnswer {
  return { statusCode: 200, ...told, body: body === undefined ? undefined : Buffer.from(body, 'base64') };
}
