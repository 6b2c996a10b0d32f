/** `/clusters` under both prefixes. */
import { z } from 'zod';
import type { ClusterRow, ClusterStore } from '../../clusters/cluster-store.ts';
import {
  parseJson,
  peerClusterConfigSchema,
  schedulerClusterConfigSchema,
  scopesSchema,
  seedPeerClusterConfigSchema,
  tellScopes,
  toldScopes,
} from '../../clusters/types.ts';
import { pageQuery, searchQuery, setPageHeaders, toPage, toSearch } from '../paging.ts';
import { sendNothing, type RestApp, type RouteAccess } from '../request.ts';
import { bio, idParams, name, nothing, stamps, timestamps } from '../schemas.ts';

const loose = z.looseObject({});

export const clusterSchema = z
  .object({
    ...timestamps,
    name: z.string(),
    bio: z.string(),
    scopes: toldScopes,
    scheduler_cluster_id: z.int(),
    seed_peer_cluster_id: z.int(),
    scheduler_cluster_config: loose,
    seed_peer_cluster_config: loose,
    peer_cluster_config: loose,
    is_default: z.boolean(),
  })
  .meta({ id: 'Cluster' });

const createBody = z.object({
  name,
  bio: bio.optional(),
  scopes: scopesSchema.optional(),
  scheduler_cluster_config: schedulerClusterConfigSchema,
  seed_peer_cluster_config: seedPeerClusterConfigSchema,
  peer_cluster_config: peerClusterConfigSchema,
  is_default: z.boolean().optional(),
});

const changeBody = createBody.partial();

export function clusterRoutes(app: RestApp, store: ClusterStore, access: RouteAccess): void {
  const config = { access };
  const json = async (id: number) => toJson(await store.get(id));

  app.post(
    '/clusters',
    { config, schema: { summary: 'Create a cluster', body: createBody, response: { 200: clusterSchema } } },
    async (request) => json(await store.create({ ...fromBody(request.body), ...required(request.body) })),
  );
  app.get(
    '/clusters/:id',
    { config, schema: { summary: 'One cluster', params: idParams, response: { 200: clusterSchema } } },
    (request) => json(request.params.id),
  );
  app.get(
    '/clusters',
    {
      config,
      schema: {
        summary: 'List clusters',
        querystring: z.object({ ...pageQuery, ...searchQuery, name: z.string().optional() }),
        response: { 200: z.array(clusterSchema) },
      },
    },
    async (request, reply) => {
      const page = toPage(request.query);
      const { rows, total } = await store.list(
        { name: request.query.name, search: toSearch(request.query.search, ['name', 'bio']) },
        page,
      );
      setPageHeaders(request, reply, page, total);
      return rows.map(toJson);
    },
  );
  app.patch(
    '/clusters/:id',
    {
      config,
      schema: { summary: 'Change a cluster', params: idParams, body: changeBody, response: { 200: clusterSchema } },
    },
    async (request) => {
      await store.update(request.params.id, fromBody(request.body));
      return json(request.params.id);
    },
  );
  app.delete(
    '/clusters/:id',
    { config, schema: { summary: 'Delete a cluster', params: idParams, response: { 200: nothing } } },
    async (request, reply) => {
      await store.delete(request.params.id);
      return sendNothing(reply);
    },
  );
}

function required(body: z.output<typeof createBody>) {
  return {
    name: body.name,
    schedulerClusterConfig: body.scheduler_cluster_config,
    seedPeerClusterConfig: body.seed_peer_cluster_config,
    peerClusterConfig: body.peer_cluster_config,
  };
}

function fromBody(body: z.output<typeof changeBody>) {
  return {
    ...(body.name === undefined ? {} : { name: body.name }),
    ...(body.bio === undefined ? {} : { bio: body.bio }),
    ...(body.scopes === undefined ? {} : { scopes: body.scopes }),
    ...(body.scheduler_cluster_config === undefined ? {} : { schedulerClusterConfig: body.scheduler_cluster_config }),
    ...(body.seed_peer_cluster_config === undefined ? {} : { seedPeerClusterConfig: body.seed_peer_cluster_config }),
    ...(body.peer_cluster_config === undefined ? {} : { peerClusterConfig: body.peer_cluster_config }),
    ...(body.is_default === undefined ? {} : { isDefault: body.is_default }),
  };
}

function toJson({ schedulerCluster: row, seedPeerCluster }: ClusterRow): z.output<typeof clusterSchema> {
  return {
    ...stamps(row),
    name: row.name,
    bio: row.bio,
    scopes: tellScopes(row.scopes),
    scheduler_cluster_id: row.id,
    seed_peer_cluster_id: seedPeerCluster?.id ?? 0,
    scheduler_cluster_config: parseJson(row.config, {}),
    seed_peer_cluster_config: parseJson(seedPeerCluster?.config ?? row.seed_client_config, {}),
    peer_cluster_config: parseJson(row.client_config, {}),
    is_default: row.is_default === 1,
  };
}
