/** `/events`: changes as they happen, and current distributions, as server-sent events. */
import { z } from 'zod';
import { DragonflyError } from '../../../core/errors.ts';
import type { AccessObject } from '../../access/objects.ts';
import type { ChangeTopic } from '../../db/change-feed.ts';
import { maxEventStreams, maxEventStreamsOfUser } from '../../limits.ts';
import { credential, tokenOf } from '../access-hook.ts';
import { EventStream, type EventRights } from '../event-stream.ts';
import type { RestParts } from '../parts.ts';
import { callerOf, type RestApp, type RouteAccess } from '../request.ts';

/** The collection whose subscribers are notified. */
const objectOfTopic: Partial<Record<ChangeTopic, AccessObject>> = {
  cluster: 'clusters',
  scheduler: 'schedulers',
  seed_peer: 'seed-peers',
  peer: 'peers',
  application: 'applications',
  config: 'configs',
  job: 'jobs',
  user: 'users',
  role: 'roles',
  token: 'personal-access-tokens',
  oauth: 'oauth',
  certificate: 'certificates',
  concern: 'concerns',
  release: 'releases',
  replication: 'replication-rules',
};

export function eventRoutes(app: RestApp, { access, changes, live, nodes, concerns }: RestParts): void {
  const places = new Places();
  app.get(
    '/events',
    {
      config: { access: { kind: 'session', object: 'events' } },
      schema: {
        summary:
          'Server-sent events: `change` with what changed, `tasks`, `nodes`, `traffic`, `reset` when something may have been missed, `history` of the traffic after it, `alive` now and then',
        response: {
          200: z
            .string()
            .describe('text/event-stream of ChangeEvent, TasksEvent, NodesEvent, TrafficEvent and TrafficHistoryEvent'),
        },
      },
    },
    async (request, reply) => {
      const { userId } = callerOf(request);
      const { token = '' } = credential(request);
      const seesTraffic = await access.authorizer.allows(userId, 'traffic', 'read');
      const leave = places.take(userId);
      reply.hijack();
      const rights: EventRights = {
        isValid: async () => (await access.sessions.verify(token)) !== undefined,
        mayRead: (object) => access.authorizer.allows(userId, object, 'read'),
      };
      const history = seesTraffic ? { steps: [...live.trafficSteps] } : undefined;
      const stream = new EventStream(reply.raw, rights, history);
      const unsubscribe = changes.subscribe(({ topic, entityId }) => {
        const object = objectOfTopic[topic];
        if (object !== undefined) stream.addChange(object, entityId);
        // A stream ends with its session.
        if (topic === 'session' || topic === 'user') {
          access.sessions.verify(token).then(
            (caller) => caller ?? stream.end(),
            () => stream.end(),
          );
        }
      });
      const stopWatching = live.subscribe({
        onTraffic: (traffic) => stream.setTraffic(traffic),
        onTask: (clusterId, taskId, task) => stream.addTask(clusterId, taskId, task),
      });
      const stopNodes = nodes.subscribe((clusterId, hostId, node) => stream.addNode(clusterId, hostId, node));
      // Concerns change without a write, since each replica derives them itself.
      const stopConcerns = concerns.subscribe(() => stream.addChange('concerns', 0));
      reply.raw.once('close', () => {
        leave();
        unsubscribe();
        stopWatching();
        stopNodes();
        stopConcerns();
        stream.end();
      });
    },
  );
}

/** The same for programs, of one collection. */
export function jobEventRoute(
  app: RestApp,
  { access, changes }: Pick<RestParts, 'access' | 'changes'>,
  rule: Extract<RouteAccess, { kind: 'token' }>,
): void {
  const places = new Places();
  app.get(
    '/events',
    {
      config: { access: rule },
      schema: {
        summary:
          'Server-sent events: `change` with the jobs that changed, `reset` when one may have been missed, `alive` now and then',
        response: { 200: z.string().describe('text/event-stream of ChangeEvent') },
      },
    },
    (request, reply) => {
      const { userId } = callerOf(request);
      const token = tokenOf(request);
      const leave = places.take(userId);
      reply.hijack();
      const stream = new EventStream(reply.raw, {
        isValid: () =>
          access.tokens.verify(token, rule.scope).then(
            () => true,
            (error: unknown) => !(error instanceof DragonflyError),
          ),
        mayRead: (object) => access.authorizer.allows(userId, object, 'read'),
      });
      const unsubscribe = changes.subscribe(({ topic, entityId }) => {
        if (topic === 'job') stream.addChange(rule.object, entityId);
        // A stream lasts no longer than the token it was opened with.
        if (topic === 'token' || topic === 'user') access.tokens.verify(token, rule.scope).catch(() => stream.end());
      });
      reply.raw.once('close', () => {
        leave();
        unsubscribe();
        stream.end();
      });
    },
  );
}

/** Streams that are open, and whose they are: one user does not take the places of all. */
class Places {
  readonly #open = new Map<number, number>();
  #all = 0;

  /** @returns what gives the place back. Throws RESOURCE_EXHAUSTED. */
  take(userId: number): () => void {
    const own = this.#open.get(userId) ?? 0;
    if (this.#all >= maxEventStreams || own >= maxEventStreamsOfUser)
      throw new DragonflyError('RESOURCE_EXHAUSTED', 'too many event streams are open');
    this.#all += 1;
    this.#open.set(userId, own + 1);
    return () => {
      this.#all -= 1;
      const left = (this.#open.get(userId) ?? 1) - 1;
      if (left > 0) this.#open.set(userId, left);
      else this.#open.delete(userId);
    };
  }
}
