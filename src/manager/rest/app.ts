/**
 * The REST server. The path of a request: rate limit → origin and cookies → authentication and authorisation → schema →
 * handler → schema of the answer → audit. Every route declares who may call it; a route without that cannot be
 * registered.
 */
import { readFile } from 'node:fs/promises';
import cookie from '@fastify/cookie';
import rateLimit from '@fastify/rate-limit';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import { fastify, type FastifyRequest, type FastifyServerOptions, type RouteOptions } from 'fastify';
import {
  jsonSchemaTransform,
  jsonSchemaTransformObject,
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from 'fastify-type-provider-zod';
import { version } from '../../core/version.ts';
import { readPrivateKey } from '../../core/files/private-file.ts';
import { actionOf } from '../access/objects.ts';
import { maxRequestBodyBytes } from '../limits.ts';
import { accessHook } from './access-hook.ts';
import { sessionCookie } from './cookies.ts';
import { errorHandler } from './errors.ts';
import { requireShallow } from './json-depth.ts';
import type { RestParts } from './parts.ts';
import type { RestApp, RouteAccess } from './request.ts';
import { certificateRoutes } from './resources/certificates.ts';
import { clusterRoutes } from './resources/clusters.ts';
import { eventRoutes, jobEventRoute } from './resources/events.ts';
import { healthRoutes } from './resources/health.ts';
import { historyRoutes } from './resources/history.ts';
import { jobRoutes } from './resources/jobs.ts';
import { legacyPreheatRoutes } from './resources/legacy-preheats.ts';
import { memberClusterRoutes } from './resources/member-clusters.ts';
import { memberRoutes } from './resources/members.ts';
import { concernRoutes, nodeRoutes } from './resources/nodes.ts';
import { oauthRoutes } from './resources/oauth.ts';
import { preheatEstimateRoutes } from './resources/preheat-estimate.ts';
import { persistentCacheTaskRoutes } from './resources/persistent-cache-tasks.ts';
import { personalAccessTokenRoutes } from './resources/personal-access-tokens.ts';
import { releaseRoutes } from './resources/releases.ts';
import { replicationNotificationRoute, replicationRuleRoutes } from './resources/replication-rules.ts';
import { roleRoutes } from './resources/roles.ts';
import { sessionInfoRoutes } from './resources/session.ts';
import { settingRoutes } from './resources/settings.ts';
import { taskRoutes } from './resources/tasks.ts';
import { trafficRoutes } from './resources/traffic.ts';
import { userRoutes } from './resources/users.ts';
import { failures } from './schemas.ts';
import { serveConsole } from './static-console.ts';

/** Media types of registry notifications. */
const notificationTypes = [1, 2].map((version) => `application/vnd.docker.distribution.events.v${version}+json`);

/** Path of the OpenAPI document. */
export const openApiPath = '/swagger/doc.json';

export async function createRestApp(parts: RestParts): Promise<RestApp> {
  const { config } = parts;
  const app = await newServer(parts);
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler(errorHandler(parts.logger, config.auth.jwt.realm));
  app.decorateRequest('caller', null);
  await app.register(cookie);
  await app.register(rateLimit, {
    max: config.server.rest.requestRateLimit,
    timeWindow: 1_000,
    onExceeded: () => parts.metrics.rateLimited.inc({ what: 'rest' }),
  });
  // Clients of the original set a content type on requests without a body.
  const parseJson = app.getDefaultJsonParser('error', 'error');
  // Registries send notifications in media types of their own.
  app.addContentTypeParser(['application/json', ...notificationTypes], { parseAs: 'string' }, (request, body, done) => {
    if (body === '') return done(null, undefined);
    try {
      requireShallow(body as string);
    } catch (error) {
      return done(error as Error);
    }
    void parseJson(request, body as string, done);
  });
  await app.register(swagger, {
    openapi: document,
    transform: jsonSchemaTransform,
    transformObject: jsonSchemaTransformObject,
  });
  app.addHook('onRoute', completeRoute);
  addHooks(app, parts);
  healthRoutes(app, parts);
  legacyPreheatRoutes(app, parts.jobs.service, parts.access);
  await app.register(
    (api, _options, done) => {
      sessionRoutes(api.withTypeProvider<ZodTypeProvider>(), parts);
      done();
    },
    { prefix: '/api/v1' },
  );
  await app.register(
    (api, _options, done) => {
      tokenRoutes(api.withTypeProvider<ZodTypeProvider>(), parts);
      done();
    },
    { prefix: '/oapi/v1' },
  );
  await app.register(swaggerUi, { routePrefix: '/swagger', logLevel: 'silent' });
  app.get(
    '/swagger/index.html',
    { config: { access: { kind: 'public' } }, schema: { hide: true } },
    (_request, reply) => reply.redirect('/swagger'),
  );
  app.get(openApiPath, { config: { access: { kind: 'public' } }, schema: { hide: true } }, () => app.swagger());
  await serveConsole(app, config);
  return app;
}

function sessionRoutes(app: RestApp, parts: RestParts): void {
  userRoutes(app, parts);
  roleRoutes(app, parts);
  clusterRoutes(app, parts.clusters, { kind: 'session', object: 'clusters' });
  jobRoutes(app, jobParts(parts), { kind: 'session', object: 'jobs' });
  preheatEstimateRoutes(app, parts, { kind: 'session', object: 'jobs' });
  memberClusterRoutes(app, parts);
  memberRoutes(app, parts);
  persistentCacheTaskRoutes(app, parts);
  releaseRoutes(app, parts, { kind: 'session', object: 'releases' });
  replicationRuleRoutes(app, parts, { kind: 'session', object: 'replication-rules' });
  replicationNotificationRoute(app, parts);
  settingRoutes(app, parts);
  personalAccessTokenRoutes(app, parts);
  oauthRoutes(app, parts);
  certificateRoutes(app, parts);
  sessionInfoRoutes(app, parts);
  eventRoutes(app, parts);
  taskRoutes(app, parts);
  nodeRoutes(app, parts, { kind: 'session', object: 'nodes' });
  concernRoutes(app, parts, { kind: 'session', object: 'concerns' });
  trafficRoutes(app, parts, { kind: 'session', object: 'traffic' });
  historyRoutes(app, parts.history, { kind: 'session', object: 'traffic' });
}

function tokenRoutes(app: RestApp, parts: RestParts): void {
  clusterRoutes(app, parts.clusters, { kind: 'token', scope: 'cluster', object: 'clusters' });
  jobRoutes(app, jobParts(parts), { kind: 'token', scope: 'job', object: 'jobs' });
  jobEventRoute(app, parts, { kind: 'token', scope: 'job', object: 'jobs' });
  preheatEstimateRoutes(app, parts, { kind: 'token', scope: 'job', object: 'jobs' });
  nodeRoutes(app, parts, { kind: 'token', scope: 'cluster', object: 'nodes' });
  concernRoutes(app, parts, { kind: 'token', scope: 'cluster', object: 'concerns' });
  trafficRoutes(app, parts, { kind: 'token', scope: 'cluster', object: 'traffic' });
  historyRoutes(app, parts.history, { kind: 'token', scope: 'cluster', object: 'traffic' });
  releaseRoutes(app, parts, { kind: 'token', scope: 'cluster', object: 'releases' });
  replicationRuleRoutes(app, parts, { kind: 'token', scope: 'cluster', object: 'replication-rules' });
}

function jobParts({ jobs, clusters, database, access }: RestParts) {
  return { jobs: jobs.service, tasks: jobs.tasks, clusters, database, access };
}

async function newServer({ config }: RestParts): Promise<RestApp> {
  const { tls, trustedProxies } = config.server.rest;
  const options: FastifyServerOptions = {
    logger: false,
    bodyLimit: maxRequestBodyBytes,
    trustProxy: trustedProxies.length > 0 ? [...trustedProxies] : false,
    requestTimeout: 60_000,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 512 },
  };
  if (!tls) return fastify(options);
  const https = { cert: await readFile(tls.cert), key: await readPrivateKey(tls.key), minVersion: 'TLSv1.2' as const };
  return fastify({ ...options, https } as FastifyServerOptions);
}

function addHooks(app: RestApp, { access, audit, config, metrics }: RestParts): void {
  const allowedOrigins = new Set(config.server.rest.allowedOrigins);
  app.addHook('onRequest', async (request, reply) => {
    void reply
      .header('x-content-type-options', 'nosniff')
      .header('x-frame-options', 'DENY')
      .header('referrer-policy', 'same-origin');
    const { origin } = request.headers;
    if (origin === undefined || !allowedOrigins.has(origin)) return;
    void reply
      .header('access-control-allow-origin', origin)
      .header('access-control-allow-credentials', 'true')
      .header('vary', 'origin');
    void reply.header('access-control-expose-headers', 'Link, X-Total-Count, Location');
    if (request.method !== 'OPTIONS') return;
    void reply
      .header('access-control-allow-methods', 'GET, POST, PUT, PATCH, DELETE')
      .header('access-control-allow-headers', 'Content-Type, Authorization');
    await reply.code(204).send();
  });
  app.addHook('preValidation', (request, _reply, done) => {
    done(hasZeroByte([request.body, request.query, request.params]) ? zeroByteError : undefined);
  });
  app.addHook('onRequest', accessHook({ access, allowedOrigins }));
  app.addHook('onResponse', async (request, reply) => {
    const handler = request.routeOptions.url ?? 'unknown';
    const labels = { code: String(reply.statusCode), method: request.method, handler };
    metrics.requests.inc(labels);
    metrics.requestSeconds.observe(labels, reply.elapsedTime / 1000);
  });
  // Before the response is sent: a confirmed write is in the audit trail, even if the process dies right after.
  app.addHook('onSend', async (request, reply) => {
    if (actionOf(request.method) === 'read' || request.routeOptions.url === undefined) return;
    const { caller } = request;
    await audit.record({
      actorType: caller === null ? 'UNKNOWN' : caller.kind === 'token' ? 'PAT' : 'USER',
      actorName: caller?.name ?? signingName(request),
      operation: request.method,
      path: request.url.split('?', 1)[0] ?? '',
      statusCode: reply.statusCode,
      address: request.ip,
    });
  });
}

/** One engine stores a zero byte in a text, another rejects it, and nobody needs one. */
function hasZeroByte(value: unknown): boolean {
  if (typeof value === 'string') return value.includes('\0');
  if (value === null || typeof value !== 'object') return false;
  return Object.entries(value).some(([key, item]) => key.includes('\0') || hasZeroByte(item));
}

const zeroByteError = Object.assign(new Error('texts must not contain a zero byte'), { statusCode: 400 });

/** The name of an attempted sign-in, so that the audit trail shows whose account was tried. */
function signingName(request: FastifyRequest): string {
  const { name } = (request.body ?? {}) as { name?: unknown };
  return request.routeOptions.url === '/api/v1/users/signin' && typeof name === 'string' ? name : 'unknown';
}

const document = {
  openapi: '3.1.0',
  info: { title: 'Dragonfly manager', version, description: 'Clusters, their members, jobs and rights.' },
  components: {
    securitySchemes: {
      session: {
        type: 'apiKey' as const,
        in: 'cookie' as const,
        name: sessionCookie,
        description: 'Session of a signed-in user; also as Authorization: Bearer.',
      },
      token: { type: 'http' as const, scheme: 'bearer', description: 'Personal access token.' },
      secret: { type: 'http' as const, scheme: 'bearer', description: 'Secret of what the path names.' },
    },
  },
};

/** Completes a route's description from its access rule; throws when that is missing. */
function completeRoute(route: RouteOptions): void {
  const access = route.config?.access;
  if (!access) {
    // Files of the console and of the API description are hidden from the document and outside of the API.
    const described = route.schema !== undefined && route.schema.hide !== true;
    if (described || /^\/o?api\//.test(route.url)) {
      throw new Error(`the route ${String(route.method)} ${route.url} does not say who may call it`);
    }
    route.config = { ...route.config, access: { kind: 'public' } };
    return;
  }
  const schema = route.schema ?? {};
  route.schema = {
    ...schema,
    tags: [tagOf(route.url)],
    security: securityOf(access),
    response: { ...failures, ...(schema.response as object) },
  };
}

function tagOf(url: string): string {
  return /^\/o?api\/v1\/([^/]+)/.exec(url)?.[1] ?? 'service';
}

function securityOf(access: RouteAccess): Record<string, string[]>[] {
  if (access.kind === 'public') return [];
  if (access.kind === 'secret') return [{ secret: [] }];
  return access.kind === 'token' ? [{ token: [] }] : [{ session: [] }];
}
