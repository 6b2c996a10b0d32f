/** Every operation with requests that the OpenAPI document forbids in exactly one place. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stateOf } from './support/database-state.ts';
import { databaseConfig } from './support/engines.ts';
import { rootOf, startManager } from './support/manager-fixture.ts';
import { violations, type JsonSchema } from './support/schema-violations.ts';

interface Operation {
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: JsonSchema }>> };
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly schema: JsonSchema }[];
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, JsonSchema>> };
}

test('DF2-14 whatever the OpenAPI document forbids is 4xx, one violation at a time, and changes nothing', async () => {
  await using manager = await startManager(databaseConfig({ sqlite: { path: ':memory:' } }), {
    auth: { signUp: true },
  });
  const root = await rootOf(manager);
  const { token } = await root.ok<{ token: string }>('POST', '/api/v1/personal-access-tokens', {
    name: 'fuzz',
    expired_at: '2099-01-01T00:00:00Z',
  });
  const api = root.withHeaders({ authorization: `Bearer ${token}` });
  const { paths, components } = await root.ok<Document>('GET', '/swagger/doc.json');
  const resolve = (reference: string): JsonSchema => components.schemas[reference.split('/').at(-1) ?? ''] ?? {};
  const before = await stateOf(manager);
  let requests = 0;
  const refused = async (method: string, path: string, body?: unknown): Promise<void> => {
    requests += 1;
    const who = path.startsWith('/api/') ? root : api;
    const { status, body: answer } = await who.request(method, path, body);
    const what = `${method} ${path} ${JSON.stringify(body)?.slice(0, 300)}: ${status} ${JSON.stringify(answer)}`;
    assert.ok(status >= 400 && status < 500, what);
  };
  for (const [template, operations] of Object.entries(paths)) {
    if (rateLimited.test(template)) continue;
    // Row 1 exists: nothing but the violation keeps the request from having an effect.
    const path = template.replaceAll(/\{[^}]+\}/g, '1');
    for (const [method, { requestBody, parameters = [] }] of Object.entries(operations)) {
      const schema = requestBody?.content['application/json']?.schema;
      if (schema) for (const body of violations(schema, resolve)) await refused(method.toUpperCase(), path, body);
      for (const { name, in: place, schema: parameter } of parameters) {
        if (place !== 'query' || !(parameter.type === 'integer' || parameter.enum)) continue;
        await refused(method.toUpperCase(), `${path}?${name}=nonsense`);
      }
    }
  }
  assert.ok(requests > 500, `${requests} requests`);
  assert.equal(await stateOf(manager), before);
});

/** Sign-in and its like take a few requests a minute; what they refuse is tested by name. */
const rateLimited = /users\/(?:signin|signup|refresh_token)|reset_password/;
