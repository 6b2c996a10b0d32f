/** docs/config.md, from the configuration schemas. */
import { z } from 'zod';
import { dfdaemonConfigSchema } from '../src/dfdaemon/config.ts';
import { managerConfigSchema } from '../src/manager/config.ts';
import { schedulerConfigSchema } from '../src/scheduler/config.ts';

interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly description?: string;
}

interface Row {
  readonly key: string;
  readonly type: string;
  readonly default: string;
  readonly meaning: string;
}

const files = [
  {
    title: 'dfget.yaml: dfdaemon, peer and seed peer',
    about: 'Read by `dfdaemon --config`; without the flag from `/etc/dragonfly/dfget.yaml` if it exists.',
    schema: dfdaemonConfigSchema,
  },
  { title: 'scheduler.yaml', about: 'Read by `scheduler --config`.', schema: schedulerConfigSchema },
  { title: 'manager.yaml', about: 'Read by `manager --config`.', schema: managerConfigSchema },
];

function rowsOf(schema: JsonSchema, path: string): Row[] {
  const { properties, items } = schema;
  if (properties) {
    return Object.entries(properties).flatMap(([key, inner]) => rowsOf(inner, path === '' ? key : `${path}.${key}`));
  }
  if (items?.properties) return rowsOf({ properties: items.properties }, `${path}[]`);
  return [{ key: path, type: typeOf(schema), default: valueText(schema.default), meaning: schema.description ?? '' }];
}

function typeOf(schema: JsonSchema): string {
  if (schema.enum) return schema.enum.map((value) => String(value)).join(', ');
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.anyOf) return [...new Set(schema.anyOf.map(typeOf))].join(' or ');
  if (schema.type === 'array') return `list of ${schema.items ? typeOf(schema.items) : 'any'}`;
  if (schema.type === 'object') return schema.properties ? `{${Object.keys(schema.properties).join(', ')}}` : 'map';
  return [schema.type ?? 'any'].flat().join(' or ');
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

function valueText(value: unknown): string {
  if (value === undefined) return '';
  return `\`${typeof value === 'string' ? value || '""' : JSON.stringify(value)}\``;
}

export function configDocs(): string {
  const sections = files.map(({ title, about, schema }) => {
    const json = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema;
    const all = rowsOf(json, '');
    const rows = all
      .filter(({ type }) => type !== 'any')
      .map((row) => `| \`${row.key}\` | ${cell(row.type)} | ${row.default} | ${cell(row.meaning)} |`);
    const table = `| key | type | default | meaning |\n| --- | --- | --- | --- |\n${rows.join('\n')}\n`;
    const ignored = all.filter(({ type }) => type === 'any').map(({ key }) => `\`${key}\``);
    const without = ignored.length === 0 ? '' : `\nTaken without effect: ${ignored.join(', ')}.\n`;
    return `## ${title}\n\n${about}\n\n${table}${without}`;
  });
  return `# Configuration

Made from the schemas by \`npm run docs\`; do not edit. \`null\` counts as absent; an unknown or misplaced key is a warning with its line,
keys without effect are named together in one.
Every key can be given outside the file too, written as in the file: by a flag, \`--set upload.rateLimit=20Mi\`, or in the environment, \`DFDAEMON_UPLOAD_RATELIMIT=20Mi\`
(\`SCHEDULER_…\`, \`MANAGER_…\`). A flag wins over the environment, that over the file.
Types are taken as the loaders of the original take them: \`"1"\` is a number where one is wanted, \`yes\` a truth, one item a list of it, \`''\` the default; letter
case of keys does not matter.
Durations are written \`500ms\`, \`30s\`, \`1m30s\`, \`72h\`; sizes and rates \`4MiB\`, \`20Mi\`, \`10Gi\`, every prefix a power of 1024.

${sections.join('\n')}
## Where the original differs

- \`candidate_parent_limit\` of a scheduler cluster counts for daemons of the original only: ours choose among all parents themselves. \`filter_parent_limit\` counts for both.
- \`scheduler.retryLimit\` and the other retries: waiting peers are woken instead of asking again.
- The stores of the object gateway of a daemon (\`objectStorage\`) are those of \`doors.s3.buckets\`, not those of the manager; its port is that of \`doors.s3\`.
`;
}
