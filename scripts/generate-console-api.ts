/**
 * Writes the console's types of the manager's REST API, console/src/api/schema.d.ts, from the OpenAPI document that the
 * manager makes of its own schemas. `--check` writes nothing and fails when the file is not what it would write.
 *
 * The form is the one openapi-fetch reads: `paths`, each with its methods, and `components`.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { describeApi } from '../src/manager/rest/openapi.ts';

interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly description?: string;
}

interface Body {
  readonly required?: boolean;
  readonly content?: Readonly<Record<string, { readonly schema?: Schema }>>;
}

interface Operation {
  readonly summary?: string;
  readonly parameters?: readonly { in: string; name: string; required?: boolean; schema: Schema }[];
  readonly requestBody?: Body;
  readonly responses: Readonly<Record<string, Body>>;
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

const methods = ['get', 'put', 'post', 'delete', 'patch'];
const places = ['query', 'header', 'path', 'cookie'];
const target = new URL('../console/src/api/schema.d.ts', import.meta.url);

export function typesOf(document: Document): string {
  const paths = Object.entries(document.paths).filter(([path]) => path.startsWith('/api/v1/'));
  const body = paths.map(([path, item]) => `  '${path}': ${pathType(item)};`).join('\n');
  const schemas = reachable(body, document.components.schemas);
  const components = schemas.map(([name, schema]) => `    ${name}: ${schemaType(schema, '    ')};`).join('\n');
  return [
    '/** Written by scripts/generate-console-api.ts from the manager’s OpenAPI document; do not edit. */',
    `export interface paths {\n${body}\n}\n`,
    `export interface components {\n  schemas: {\n${components}\n  };\n}\n`,
  ].join('\n');
}

function pathType(item: Readonly<Record<string, Operation>>): string {
  const entries = methods.map((method) => {
    const operation = item[method];
    if (!operation) return `    ${method}?: never;`;
    const summary = operation.summary === undefined ? '' : `    /** ${operation.summary} */\n`;
    return `${summary}    ${method}: ${operationType(operation)};`;
  });
  return `{\n    parameters: { query?: never; header?: never; path?: never; cookie?: never };\n${entries.join('\n')}\n  }`;
}

function operationType({ parameters = [], requestBody, responses }: Operation): string {
  const at = '        ';
  const byPlace = places.map((place) => {
    const here = parameters.filter((parameter) => parameter.in === place);
    if (here.length === 0) return `${at}${place}?: never;`;
    const fields = here.map(({ name, required, schema }) => field(name, schema, required === true, `${at}  `));
    const optional = here.every(({ required }) => required !== true);
    return `${at}${place}${optional ? '?' : ''}: {\n${fields.join('\n')}\n${at}};`;
  });
  const body = requestBody
    ? `requestBody${requestBody.required === true ? '' : '?'}: ${bodyType(requestBody, at)};`
    : 'requestBody?: never;';
  const answers = Object.entries(responses).map(
    ([status, answer]) =>
      `${at}${status}: { headers: { [name: string]: unknown }; content: ${contentType(answer, at)} };`,
  );
  return `{\n      parameters: {\n${byPlace.join('\n')}\n      };\n      ${body}\n      responses: {\n${answers.join('\n')}\n      };\n    }`;
}

function bodyType(body: Body, indent: string): string {
  return `{ content: ${contentType(body, indent)} }`;
}

function contentType({ content = {} }: Body, indent: string): string {
  const types = Object.entries(content).map(([media, { schema }]) => `'${media}': ${schemaType(schema ?? {}, indent)}`);
  return types.length === 0 ? '{ [media: string]: unknown }' : `{ ${types.join('; ')} }`;
}

function schemaType(schema: Schema, indent: string): string {
  if (schema.$ref !== undefined) return `components['schemas']['${schema.$ref.split('/').at(-1)}']`;
  if ('const' in schema) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(' | ');
  const union = schema.anyOf ?? schema.oneOf;
  if (union) return unique(union.map((one) => schemaType(one, indent))).join(' | ');
  if (schema.allOf) return unique(schema.allOf.map((one) => schemaType(one, indent))).join(' & ');
  const types = typeof schema.type === 'string' ? [schema.type] : (schema.type ?? []);
  return unique(types.map((type) => plainType(type, schema, indent))).join(' | ') || 'unknown';
}

function plainType(type: string, schema: Schema, indent: string): string {
  switch (type) {
    case 'integer':
    case 'number':
      return 'number';
    case 'array': {
      const item = schemaType(schema.items ?? {}, indent);
      return /[|&]/.test(item) ? `(${item})[]` : `${item}[]`;
    }
    case 'object':
      return objectType(schema, indent);
    default:
      return type;
  }
}

function objectType({ properties = {}, required = [], additionalProperties }: Schema, indent: string): string {
  const inner = `${indent}  `;
  const fields = Object.entries(properties).map(([name, schema]) =>
    field(name, schema, required.includes(name), inner),
  );
  if (typeof additionalProperties === 'object') {
    const value = fields.length === 0 ? schemaType(additionalProperties, inner) : 'unknown';
    fields.push(`${inner}[name: string]: ${value};`);
  }
  return fields.length === 0 ? 'Record<string, never>' : `{\n${fields.join('\n')}\n${indent}}`;
}

function field(name: string, schema: Schema, required: boolean, indent: string): string {
  const key = /^[A-Za-z_$][\w$]*$/.test(name) ? name : `'${name}'`;
  const type = schemaType(schema, indent);
  const note = schema.description === undefined ? '' : `${indent}/** ${schema.description} */\n`;
  return `${note}${indent}${key}${required ? '' : '?'}: ${type}${required ? '' : ' | undefined'};`;
}

/** The named schemas that the text mentions, and those that they mention. */
function reachable(text: string, all: Readonly<Record<string, Schema>>): [string, Schema][] {
  const found = new Set<string>();
  const visit = (part: string): void => {
    for (const [, name] of part.matchAll(/\['schemas'\]\['(\w+)'\]/g)) {
      const schema = name === undefined || found.has(name) ? undefined : all[name];
      if (name === undefined || !schema) continue;
      found.add(name);
      visit(schemaType(schema, ''));
    }
  };
  visit(text);
  return Object.entries(all).filter(([name]) => found.has(name));
}

function unique(types: readonly string[]): string[] {
  return [...new Set(types)];
}

const text = typesOf((await describeApi()) as Document);
if (process.argv.includes('--check')) {
  if ((await readFile(target, 'utf8').catch(() => '')) !== text) {
    process.stderr.write(
      'console/src/api/schema.d.ts is not what the manager’s API says: run scripts/generate-console-api.ts\n',
    );
    process.exitCode = 1;
  }
} else {
  await writeFile(target, text);
}
