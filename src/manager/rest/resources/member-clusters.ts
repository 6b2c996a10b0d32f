/** `/scheduler-clusters` and `/seed-peer-clusters`: the two halves of a cluster, for set-ups that manage them separately. */
import { z } from 'zod';
import { linkClusters, requireEmpty } from '../../clusters/cluster-store.ts';
import {
  parseJson,
  peerClusterConfigSchema,
  schedulerClusterConfigSchema,
  scopesSchema,
  seedPeerClusterConfigSchema,
  tellScopes,
  toldScopes,
} from '../../clusters/types.ts';
import { TableStore } from '../../db/table-store.ts';
import { defined, registerResource } from '../crud.ts';
import type { RestParts } from '../parts.ts';
import { sendNothing, type RestApp } from '../request.ts';
import { bio, idSchema, name, nothing, reference, stamps, timestamps } from '../schemas.ts';

const loose = z.looseObject({});

export function memberClusterRoutes(app: RestApp, { database, changes }: RestParts): void {
  const schedulerClusters = new TableStore(database, changes, 'scheduler_cluster', 'cluster');
  const seedPeerClusters = new TableStore(database, changes, 'seed_peer_cluster', 'cluster');
  const link = (seedPeerClusterId: number, schedulerClusterId: number): Promise<void> =>
    changes.write('cluster', schedulerClusterId, (db) => linkClusters(db, seedPeerClusterId, schedulerClusterId));

  const schedulerClusterBody = z.object({
    name,
    bio: bio.optional(),
    config: schedulerClusterConfigSchema,
    client_config: peerClusterConfigSchema,
    seed_client_config: seedPeerClusterConfigSchema.optional(),
    scopes: scopesSchema.optional(),
    is_default: z.boolean().optional(),
  });
  registerResource(app, {
    object: 'scheduler-clusters',
    store: schedulerClusters,
    output: z
      .object({
        ...timestamps,
        name: z.string(),
        bio: z.string(),
        config: loose,
        client_config: loose,
        seed_client_config: loose,
        scopes: toldScopes,
        is_default: z.boolean(),
      })
      .meta({ id: 'SchedulerCluster' }),
    toJson: (row) => ({
      ...stamps(row),
      name: row.name,
      bio: row.bio,
      config: parseJson(row.config, {}),
      client_config: parseJson(row.client_config, {}),
      seed_client_config: parseJson(row.seed_client_config, {}),
      scopes: tellScopes(row.scopes),
      is_default: row.is_default === 1,
    }),
    create: schedulerClusterBody,
    toRow: (body) => ({
      name: body.name,
      bio: body.bio ?? '',
      config: JSON.stringify(body.config),
      client_config: JSON.stringify(body.client_config),
      seed_client_config: JSON.stringify(body.seed_client_config ?? {}),
      scopes: JSON.stringify(body.scopes ?? {}),
      is_default: body.is_default === true ? (1 as const) : (0 as const),
    }),
    update: {
      body: schedulerClusterBody.partial(),
      toColumns: ({ config, client_config, seed_client_config, scopes, is_default, ...rest }) => ({
        ...defined(rest),
        ...jsonColumns({ config, client_config, seed_client_config, scopes }),
        ...(is_default === undefined ? {} : { is_default: is_default ? (1 as const) : (0 as const) }),
      }),
    },
    searchable: ['name', 'bio'],
    filters: { name: z.string().optional() },
    beforeDelete: async (db, id) => {
      await requireEmpty(db, 'scheduler', id);
      await db.deleteFrom('seed_peer_cluster_scheduler_cluster').where('scheduler_cluster_id', '=', id).execute();
    },
  });

  const seedPeerClusterBody = z.object({ name, bio: bio.optional(), config: seedPeerClusterConfigSchema });
  registerResource(app, {
    object: 'seed-peer-clusters',
    store: seedPeerClusters,
    output: z
      .object({ ...timestamps, name: z.string(), bio: z.string(), config: loose })
      .meta({ id: 'SeedPeerCluster' }),
    toJson: (row) => ({ ...stamps(row), name: row.name, bio: row.bio, config: parseJson(row.config, {}) }),
    create: seedPeerClusterBody,
    toRow: (body) => ({ name: body.name, bio: body.bio ?? '', config: JSON.stringify(body.config) }),
    update: {
      body: seedPeerClusterBody.partial(),
      toColumns: ({ config, ...rest }) => ({ ...defined(rest), ...jsonColumns({ config }) }),
    },
    searchable: ['name', 'bio'],
    filters: { name: z.string().optional() },
    beforeDelete: async (db, id) => {
      await requireEmpty(db, 'seed_peer', id);
      await db.deleteFrom('seed_peer_cluster_scheduler_cluster').where('seed_peer_cluster_id', '=', id).execute();
    },
  });

  const schedulers = new TableStore(database, changes, 'scheduler', 'scheduler');
  const seedPeers = new TableStore(database, changes, 'seed_peer', 'seed_peer');
  const put = (
    path: string,
    object: 'scheduler-clusters' | 'seed-peer-clusters',
    summary: string,
    assign: (clusterId: number, otherId: number) => Promise<void>,
  ): void => {
    app.put(
      `/${object}/:id/${path}/:other_id`,
      {
        config: { access: { kind: 'session', object } },
        schema: {
          summary,
          params: z.object({ id: idSchema, other_id: reference.or(idSchema) }),
          response: { 200: nothing },
        },
      },
      async (request, reply) => {
        await assign(request.params.id, request.params.other_id);
        return sendNothing(reply);
      },
    );
  };
  put('schedulers', 'scheduler-clusters', 'Move a scheduler into the cluster', async (id, schedulerId) => {
    await schedulerClusters.get(id);
    await schedulers.update(schedulerId, { scheduler_cluster_id: id });
  });
  put('seed-peers', 'seed-peer-clusters', 'Move a seed peer into the cluster', async (id, seedPeerId) => {
    await seedPeerClusters.get(id);
    await seedPeers.update(seedPeerId, { seed_peer_cluster_id: id });
  });
  put('scheduler-clusters', 'seed-peer-clusters', 'Link the two clusters', async (id, schedulerClusterId) => {
    await seedPeerClusters.get(id);
    await schedulerClusters.get(schedulerClusterId);
    await link(id, schedulerClusterId);
  });
}

function jsonColumns<K extends string>(values: Record<K, object | undefined>): Partial<Record<K, string>> {
  return Object.fromEntries(
    Object.entries<object | undefined>(values)
      .filter(([, value]) => value !== undefined)
      .map(([column, value]) => [column, JSON.stringify(value)]),
  ) as Partial<Record<K, string>>;
}
