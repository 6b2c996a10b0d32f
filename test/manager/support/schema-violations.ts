/** Out of a JSON schema: values that fit it, and values that are wrong in exactly one place. */

export interface JsonSchema {
  readonly $ref?: string;
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly format?: string;
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly maxItems?: number;
  readonly minItems?: number;
  readonly items?: JsonSchema;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly anyOf?: readonly JsonSchema[];
  readonly allOf?: readonly JsonSchema[];
}

export type Resolve = (reference: string) => JsonSchema;

const texts: Readonly<Record<string, string>> = {
  email: 'a@b.example',
  uri: 'http://a.example/x',
  'date-time': '2099-01-01T00:00:00Z',
  ipv4: '10.0.0.1',
  ipv6: '::1',
  cidrv4: '10.0.0.0/8',
  cidrv6: 'fd00::/8',
};

export function fitting(schema: JsonSchema, resolve: Resolve): unknown {
  const actual = schema.$ref === undefined ? schema : resolve(schema.$ref);
  const [first] = actual.anyOf ?? actual.allOf ?? [];
  if (first) return fitting(first, resolve);
  if (actual.const !== undefined) return actual.const;
  if (actual.enum) return actual.enum[0];
  switch (actual.type) {
    case 'string':
      return texts[actual.format ?? ''] ?? 'a'.repeat(Math.max(3, actual.minLength ?? 0));
    case 'integer':
    case 'number':
      return actual.minimum ?? 1;
    case 'boolean':
      return false;
    case 'null':
      return null;
    case 'array':
      return Array.from({ length: actual.minItems ?? 1 }, () => fitting(actual.items ?? {}, resolve));
    case 'object':
      return Object.fromEntries(
        Object.entries(actual.properties ?? {}).map(([name, property]) => [name, fitting(property, resolve)]),
      );
    default:
      return {};
  }
}

/** Each differs from a fitting value in one place that the schema forbids. */
export function* violations(schema: JsonSchema, resolve: Resolve): Generator<unknown> {
  const actual = schema.$ref === undefined ? schema : resolve(schema.$ref);
  if (actual.anyOf || actual.allOf) return; // what one branch forbids another may allow
  yield* ofThisValue(actual, resolve);
  if (actual.type === 'array' && actual.items) {
    for (const item of violations(actual.items, resolve)) yield [item];
  }
  if (actual.type !== 'object') return;
  const good = fitting(actual, resolve) as Record<string, unknown>;
  for (const name of actual.required ?? []) {
    const { [name]: _left, ...rest } = good;
    yield rest;
  }
  for (const [name, property] of Object.entries(actual.properties ?? {})) {
    for (const wrong of violations(property, resolve)) yield { ...good, [name]: wrong };
  }
}

function* ofThisValue(schema: JsonSchema, resolve: Resolve): Generator<unknown> {
  if (schema.const !== undefined || schema.enum) {
    yield 'nonsense';
    return;
  }
  switch (schema.type) {
    case 'string':
      yield* [17, {}, ['a'], true, 'a\u0000b'];
      if (schema.maxLength !== undefined) yield 'x'.repeat(schema.maxLength + 1);
      if ((schema.minLength ?? 0) > 0) yield '';
      if (schema.format !== undefined && texts[schema.format] !== undefined) yield 'no such thing';
      break;
    case 'integer':
      yield* ['x', 1.5, {}, true, 1e300];
      if (schema.minimum !== undefined) yield schema.minimum - 1;
      if (schema.maximum !== undefined && schema.maximum < Number.MAX_SAFE_INTEGER) yield schema.maximum + 1;
      break;
    case 'boolean':
      yield* ['yes', 1, {}];
      break;
    case 'array':
      yield* ['x', {}, 5];
      if (schema.maxItems !== undefined && schema.items)
        yield Array.from({ length: schema.maxItems + 1 }, () => fitting(schema.items ?? {}, resolve));
      break;
    case 'object':
      yield* ['x', 5, []];
      break;
    default: // nothing is forbidden
  }
}
