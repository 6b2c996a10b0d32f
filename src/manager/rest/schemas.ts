/** Pieces shared by the schemas of several resources. */
import { z } from 'zod';

export const idSchema = z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER);
export const idParams = z.object({ id: idSchema });
export const reference = z.int().min(1).max(Number.MAX_SAFE_INTEGER);

export const errorSchema = z.object({ message: z.string(), hint: z.string().optional() }).meta({ id: 'Error' });
export const invalidSchema = z.object({ errors: z.string(), message: z.string() }).meta({ id: 'Invalid' });

export const timestamps = { id: z.int(), created_at: z.string(), updated_at: z.string(), is_del: z.literal(0) };

export const name = z.string().min(1).max(255);
export const bio = z.string().max(1024);
export const port = z.int().min(1).max(65_535);
export const ip = z.union([z.ipv4(), z.ipv6()]);
export const hostName = z
  .string()
  .min(1)
  .max(253)
  .regex(/^[A-Za-z0-9._-]+$/, 'is not a host name');
export const place = z.string().max(1024);

export interface RowStamps {
  readonly id: number;
  readonly created_at: number;
  readonly updated_at: number;
}

export function stamps(row: RowStamps): { id: number; created_at: string; updated_at: string; is_del: 0 } {
  return { id: row.id, created_at: time(row.created_at), updated_at: time(row.updated_at), is_del: 0 };
}

export function time(ms: number): string {
  return new Date(ms).toISOString();
}

/** Error answers that every route may give. */
export const failures = {
  401: errorSchema,
  403: errorSchema,
  404: errorSchema,
  409: errorSchema,
  422: invalidSchema,
  429: errorSchema,
};

/** An answer without a body. */
export const nothing = z.null().describe('no body');
