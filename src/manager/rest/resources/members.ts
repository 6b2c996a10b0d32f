/** `/schedulers`, `/seed-peers`, `/peers`, `/scheduler-features`. */
import { z } from 'zod';
import { parseJson, memberStates, schedulerFeatures } from '../../clusters/types.ts';
import { TableStore } from '../../db/table-store.ts';
import { defined, registerResource } from '../crud.ts';
import type { RestParts } from '../parts.ts';
import type { RestApp } from '../request.ts';
import { hostName, idSchema, ip, place, port, reference, stamps, time, timestamps } from '../schemas.ts';

const text = z.string().max(255);
const portFilter = z.coerce.number().int().optional();
const textFilter = z.string().optional();
const memberOutput = {
  host_name: z.string(),
  idc: z.string(),
  location: z.string(),
  ip: z.string(),
  port: z.int(),
  state: z.string(),
};
const members = {
  host_name: textFilter,
  idc: textFilter,
  location: textFilter,
  ip: textFilter,
  state: z.enum(memberStates).optional(),
};

export function memberRoutes(app: RestApp, parts: RestParts): void {
  schedulerRoutes(app, parts);
  seedPeerRoutes(app, parts);
  peerRoutes(app, parts);
  app.get(
    '/scheduler-features',
    {
      config: { access: { kind: 'session', object: 'scheduler-features' } },
      schema: { summary: 'What schedulers may be asked to do', response: { 200: z.array(z.string()) } },
    },
    () => [...schedulerFeatures],
  );
}

function schedulerRoutes(app: RestApp, { database, changes }: RestParts): void {
  const clusters = new TableStore(database, changes, 'scheduler_cluster', 'cluster');
  const body = z.object({
    host_name: hostName,
    idc: place.optional(),
    location: place.optional(),
    ip,
    port,
    features: z.array(z.enum(schedulerFeatures)).max(schedulerFeatures.length).optional(),
    config: z.looseObject({ manager_keep_alive_interval: z.number().optional() }).optional(),
    scheduler_cluster_id: reference,
  });
  registerResource(app, {
    object: 'schedulers',
    store: new TableStore(database, changes, 'scheduler', 'scheduler'),
    output: z
      .object({
        ...timestamps,
        ...memberOutput,
        features: z.array(z.string()),
        config: z.looseObject({}),
        last_keep_alive_at: z.string(),
        scheduler_cluster_id: z.int(),
      })
      .meta({ id: 'Scheduler' }),
    toJson: (row) => ({
      ...stamps(row),
      ...member(row),
      features: parseJson(row.features, []),
      config: parseJson(row.config, {}),
      last_keep_alive_at: time(row.last_keep_alive_at),
      scheduler_cluster_id: row.scheduler_cluster_id,
    }),
    create: body,
    toRow: ({ features, config, ...rest }) => ({
      ...rest,
      ...newMember(rest),
      features: JSON.stringify(features ?? schedulerFeatures),
      config: JSON.stringify(config ?? {}),
    }),
    update: {
      body: body.partial(),
      toColumns: ({ features, config, ...rest }) => ({
        ...defined(rest),
        ...(features === undefined ? {} : { features: JSON.stringify(features) }),
        ...(config === undefined ? {} : { config: JSON.stringify(config) }),
      }),
    },
    searchable: ['host_name', 'ip', 'idc', 'location'],
    filters: { ...members, scheduler_cluster_id: idSchema.optional() },
    check: ({ scheduler_cluster_id: id }) => exists(clusters, id),
  });
}

function seedPeerRoutes(app: RestApp, { database, changes }: RestParts): void {
  const clusters = new TableStore(database, changes, 'seed_peer_cluster', 'cluster');
  const types = ['super', 'strong', 'weak'] as const;
  const body = z.object({
    host_name: hostName,
    type: z.enum(types),
    idc: place.optional(),
    location: place.optional(),
    ip,
    port,
    download_port: port,
    object_storage_port: z.int().min(0).max(65_535).optional(),
    seed_peer_cluster_id: reference,
  });
  registerResource(app, {
    object: 'seed-peers',
    store: new TableStore(database, changes, 'seed_peer', 'seed_peer'),
    output: z
      .object({
        ...timestamps,
        ...memberOutput,
        type: z.string(),
        download_port: z.int(),
        object_storage_port: z.int(),
        last_keep_alive_at: z.string(),
        seed_peer_cluster_id: z.int(),
      })
      .meta({ id: 'SeedPeer' }),
    toJson: (row) => ({
      ...stamps(row),
      ...member(row),
      type: row.type,
      download_port: row.download_port,
      object_storage_port: row.object_storage_port,
      last_keep_alive_at: time(row.last_keep_alive_at),
      seed_peer_cluster_id: row.seed_peer_cluster_id,
    }),
    create: body,
    toRow: (values) => ({ ...values, ...newMember(values), object_storage_port: values.object_storage_port ?? 0 }),
    update: { body: body.partial(), toColumns: (values) => defined(values) },
    searchable: ['host_name', 'ip', 'idc', 'location'],
    filters: {
      ...members,
      type: z.enum(types).optional(),
      port: portFilter,
      download_port: portFilter,
      object_storage_port: portFilter,
      seed_peer_cluster_id: idSchema.optional(),
    },
    check: ({ seed_peer_cluster_id: id }) => exists(clusters, id),
  });
}

function peerRoutes(app: RestApp, { database, changes }: RestParts): void {
  const clusters = new TableStore(database, changes, 'scheduler_cluster', 'cluster');
  const software = {
    os: text,
    platform: text,
    platform_family: text,
    platform_version: text,
    kernel_version: text,
    git_version: text,
    git_commit: text,
    build_platform: text,
  };
  const softwareNames = Object.keys(software) as (keyof typeof software)[];
  const optional = z.object(software).partial().shape;
  const types = ['super', 'strong', 'weak', 'normal'] as const;
  const body = z.object({
    host_name: hostName,
    type: z.enum(types),
    idc: place.optional(),
    location: place.optional(),
    ip,
    port,
    download_port: port,
    proxy_port: z.int().min(0).max(65_535).optional(),
    object_storage_port: z.int().min(0).max(65_535).optional(),
    state: z.enum(memberStates).optional(),
    ...optional,
    scheduler_cluster_id: reference,
  });
  registerResource(app, {
    object: 'peers',
    store: new TableStore(database, changes, 'peer', 'peer'),
    output: z
      .object({
        ...timestamps,
        ...memberOutput,
        type: z.string(),
        download_port: z.int(),
        proxy_port: z.int(),
        object_storage_port: z.int(),
        ...software,
        scheduler_cluster_id: z.int(),
      })
      .meta({ id: 'Peer' }),
    toJson: (row) => ({
      ...stamps(row),
      ...member(row),
      type: row.type,
      download_port: row.download_port,
      proxy_port: row.proxy_port,
      object_storage_port: row.object_storage_port,
      ...Object.fromEntries(softwareNames.map((column) => [column, row[column]])),
      scheduler_cluster_id: row.scheduler_cluster_id,
    }),
    create: body,
    toRow: (values) => ({
      ...(Object.fromEntries(softwareNames.map((column) => [column, values[column] ?? ''])) as Record<
        keyof typeof software,
        string
      >),
      host_name: values.host_name,
      type: values.type,
      ip: values.ip,
      port: values.port,
      download_port: values.download_port,
      idc: values.idc ?? '',
      location: values.location ?? '',
      proxy_port: values.proxy_port ?? 0,
      object_storage_port: values.object_storage_port ?? 0,
      state: values.state ?? 'inactive',
      scheduler_cluster_id: values.scheduler_cluster_id,
    }),
    searchable: ['host_name', 'ip', 'idc', 'location'],
    filters: {
      ...members,
      type: z.enum(types).optional(),
      port: portFilter,
      download_port: portFilter,
      proxy_port: portFilter,
      object_storage_port: portFilter,
      ...optional,
      scheduler_cluster_id: idSchema.optional(),
    },
    check: ({ scheduler_cluster_id: id }) => exists(clusters, id),
  });
}

interface MemberRow {
  host_name: string;
  idc: string;
  location: string;
  ip: string;
  port: number;
  state: string;
}

function member({ host_name, idc, location, ip: address, port: number, state }: MemberRow): MemberRow {
  return { host_name, idc, location, ip: address, port: number, state };
}

function newMember({ idc, location }: { idc?: string | undefined; location?: string | undefined }) {
  return { idc: idc ?? '', location: location ?? '', state: 'inactive', last_keep_alive_at: 0, keep_alive_owner: '' };
}

async function exists(store: { get(id: number): Promise<unknown> }, id: number | undefined): Promise<void> {
  if (id !== undefined) await store.get(id);
}
