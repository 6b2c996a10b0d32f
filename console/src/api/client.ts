/** The manager's REST API, typed from its OpenAPI document. */
import createClient from 'openapi-fetch';
import { ApiError, apiErrorOf } from './errors.ts';
import type { components, paths } from './schema.d.ts';

export type Schemas = components['schemas'];

/** Relative to the page's base, so that a path prefix needs no setting here. */
export const api = createClient<paths>({
  baseUrl: new URL('.', document.baseURI).href.replace(/\/$/, ''),
  credentials: 'same-origin',
  // Looked up per call: tests and tracing may wrap it.
  fetch: (request) => globalThis.fetch(request),
});

interface Answer<T> {
  readonly data?: T | undefined;
  readonly error?: unknown;
  readonly response: Response;
}

/** One page of a list, and how many rows there are in all. */
export interface PageOf<Row> {
  readonly rows: readonly Row[];
  readonly total: number;
}

/** The body of a good answer; everything else is thrown as an ApiError. */
export async function dataOf<T>(call: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await reached(call);
  if (!response.ok) throw apiErrorOf(response, error);
  return data as T;
}

export async function pageOf<Row>(call: Promise<Answer<readonly Row[]>>): Promise<PageOf<Row>> {
  const { data, error, response } = await reached(call);
  if (!response.ok) throw apiErrorOf(response, error);
  const rows = data ?? [];
  return { rows, total: Number(response.headers.get('x-total-count') ?? rows.length) };
}

async function reached<T>(call: Promise<Answer<T>>): Promise<Answer<T>> {
  try {
    return await call;
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === 'AbortError') throw cause;
    throw new ApiError(0, '', { cause });
  }
}
