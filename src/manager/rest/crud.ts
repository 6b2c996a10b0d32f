/** The five routes of a resource with self-contained rows. */
import type { Insertable, Selectable, Updateable } from 'kysely';
import { z } from 'zod';
import type { Caller } from '../access/caller.ts';
import type { AccessObject } from '../access/objects.ts';
import type { Db } from '../db/engine.ts';
import type { Schema } from '../db/schema.ts';
import type { ResourceTable, TableStore } from '../db/table-store.ts';
import { pageQuery, searchQuery, setPageHeaders, toPage, toSearch } from './paging.ts';
import { callerOf, sendNothing, type RestApp } from './request.ts';
import { idParams, nothing } from './schemas.ts';

type ListQuery = { page: number; per_page: number; search?: string } & Record<string, unknown>;

type Row<T extends ResourceTable> = Selectable<Schema[T]>;

export interface Resource<
  T extends ResourceTable,
  C extends z.ZodObject,
  U extends z.ZodObject,
  F extends z.ZodRawShape,
> {
  readonly object: AccessObject;
  readonly store: TableStore<T>;
  readonly output: z.ZodObject;
  readonly toJson: (row: Row<T>) => Record<string, unknown>;
  readonly create: C;
  readonly toRow: (body: z.output<C>) => Omit<Insertable<Schema[T]>, 'id' | 'created_at' | 'updated_at'>;
  /** Absent when such rows are not changed by hand. */
  readonly update?: { readonly body: U; readonly toColumns: (body: z.output<U>) => Updateable<Schema[T]> };
  /** Query parameters of the list, each named like its column. */
  readonly filters: F;
  /** Columns searched by `search`. */
  readonly searchable: readonly string[];
  /** Throws when a new or changed row refers to something that does not exist. */
  readonly check?: (body: Partial<z.output<C>>) => Promise<void>;
  /** Throws when the caller may not create, change or delete although his roles allow it. */
  readonly mayWrite?: (caller: Caller) => Promise<void>;
  /** Runs in the deleting transaction; throws to keep the row. */
  readonly beforeDelete?: (db: Db, id: number) => Promise<void>;
}

export function registerResource<
  T extends ResourceTable,
  C extends z.ZodObject,
  U extends z.ZodObject,
  F extends z.ZodRawShape,
>(app: RestApp, resource: Resource<T, C, U, F>): void {
  const { store, toJson, output, object } = resource;
  const path = `/${object}`;
  const access = { kind: 'session', object } as const;
  const one = object.replace(/s$/, '').replaceAll('-', ' ');
  const json = async (id: number) => toJson(await store.get(id));

  app.post(
    path,
    { config: { access }, schema: { summary: `Create a ${one}`, body: resource.create, response: { 200: output } } },
    async (request) => {
      const body = request.body as z.output<C>;
      await resource.mayWrite?.(callerOf(request));
      await resource.check?.(body);
      return json(await store.create(resource.toRow(body)));
    },
  );
  app.get(
    `${path}/:id`,
    { config: { access }, schema: { summary: `One ${one}`, params: idParams, response: { 200: output } } },
    (request) => json(request.params.id),
  );
  app.get(
    path,
    {
      config: { access },
      schema: {
        summary: `List ${object.replaceAll('-', ' ')}`,
        querystring: z.object({ ...pageQuery, ...searchQuery, ...resource.filters }),
        response: { 200: z.array(output) },
      },
    },
    async (request, reply) => {
      const { page, per_page, search, ...filter } = request.query as ListQuery;
      const bounds = toPage({ page, per_page });
      const { rows, total } = await store.list(filter, bounds, { search: toSearch(search, resource.searchable) });
      setPageHeaders(request, reply, bounds, total);
      return rows.map(toJson);
    },
  );
  app.delete(
    `${path}/:id`,
    { config: { access }, schema: { summary: `Delete a ${one}`, params: idParams, response: { 200: nothing } } },
    async (request, reply) => {
      const { id } = request.params;
      await resource.mayWrite?.(callerOf(request));
      await store.delete(id, async (db) => resource.beforeDelete?.(db, id));
      return sendNothing(reply);
    },
  );
  const { update } = resource;
  if (!update) return;
  app.patch(
    `${path}/:id`,
    {
      config: { access },
      schema: { summary: `Change a ${one}`, params: idParams, body: update.body, response: { 200: output } },
    },
    async (request) => {
      const body = request.body as z.output<U>;
      await resource.mayWrite?.(callerOf(request));
      await resource.check?.(body as Partial<z.output<C>>);
      await store.update(request.params.id, update.toColumns(body));
      return json(request.params.id);
    },
  );
}

/** The defined values under the same names: absent means unchanged. */
export function defined<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
