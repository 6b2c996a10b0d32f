/** Pages of lists: `page` and `per_page` in, `Link` and `X-Total-Count` out, as the original's console reads them. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Page, Search } from '../db/table-store.ts';
import { defaultPerPage, maxPerPage, maxRowsPerPage } from '../limits.ts';

export const pageQuery = {
  page: z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER).default(1),
  per_page: z.coerce.number().int().min(1).max(maxPerPage).default(defaultPerPage),
};

/** Query parameter of searchable lists. */
export const searchQuery = { search: z.string().min(1).max(255).optional().describe('part of a name, in any case') };

export function toSearch(text: string | undefined, columns: readonly string[]): Search | undefined {
  return text === undefined || columns.length === 0 ? undefined : { text, columns };
}

interface PageQuery {
  readonly page: number;
  readonly per_page: number;
}

export function toPage({ page, per_page: perPage }: PageQuery): Page {
  const bounded = Math.min(perPage, maxRowsPerPage);
  // No database has rows beyond this; the engines reject larger offsets.
  return { page: Math.min(page, Math.floor(Number.MAX_SAFE_INTEGER / bounded) - 1), perPage: bounded };
}

export function setPageHeaders(
  request: FastifyRequest,
  reply: FastifyReply,
  { page, perPage }: Page,
  total: number,
): void {
  const last = Math.max(1, Math.ceil(total / perPage));
  const url = new URL(request.url, 'http://manager');
  const link = (rel: string, target: number): string => {
    url.searchParams.set('page', String(target));
    url.searchParams.set('per_page', String(perPage));
    url.searchParams.delete('access_token');
    return `<${url.pathname}${url.search}>;rel=${rel}`;
  };
  void reply.header('x-total-count', total);
  void reply.header(
    'link',
    [
      link('prev', Math.max(1, Math.min(page - 1, last))),
      link('next', Math.min(page + 1, last)),
      link('first', 1),
      link('last', last),
    ].join(','),
  );
}
