/** Objects of permissions: the first path segment of the API. */

export const objects = [
  'users',
  'roles',
  'permissions',
  'oauth',
  'clusters',
  'scheduler-clusters',
  'schedulers',
  'scheduler-features',
  'seed-peer-clusters',
  'seed-peers',
  'peers',
  'configs',
  'jobs',
  'applications',
  'personal-access-tokens',
  'persistent-cache-tasks',
  'releases',
  'replication-rules',
  'audits',
  'certificates',
  'join-tokens',
  'events',
  'tasks',
  'nodes',
  'concerns',
  'traffic',
] as const;

export type AccessObject = (typeof objects)[number];

export const actions = ['read', '*'] as const;
export type AccessAction = (typeof actions)[number];

export const rootRole = 'root';
export const guestRole = 'guest';

/** Guests see clusters and their activity, but no users, credentials or audit trail. */
export const guestObjects: readonly AccessObject[] = [
  'clusters',
  'scheduler-clusters',
  'schedulers',
  'scheduler-features',
  'seed-peer-clusters',
  'seed-peers',
  'peers',
  'jobs',
  'applications',
  'persistent-cache-tasks',
  'releases',
  'events',
  'tasks',
  'nodes',
  'concerns',
  'traffic',
];

export function actionOf(method: string): AccessAction {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS' ? 'read' : '*';
}
