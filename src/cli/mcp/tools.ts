/**
 * What an agent may ask of this node. Each tool is a command that people use, with its `--json`: both see the same truth, and nothing
 * is decided here. What an agent writes stands behind `--`, so that it can never be a flag.
 */
import { z } from 'zod';

export type ProgramName = 'dfctl' | 'doctor' | 'simulate';

export interface Tool {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly input: z.ZodObject;
  /** True when the tool changes something; such tools are offered only when changes are allowed. */
  readonly changes: boolean;
  /** True when the tool asks the manager; such tools are offered only when a manager is configured. */
  readonly asksManager: boolean;
  readonly program: ProgramName;
  readonly argv: (input: never) => readonly string[];
}

/** Preserves the type that connects a tool's input schema with the arguments made from it. */
function tool<Shape extends z.ZodRawShape>(
  told: Omit<Tool, 'input' | 'argv' | 'changes' | 'asksManager'> & {
    readonly input: Shape;
    readonly changes?: boolean;
    readonly asksManager?: boolean;
    readonly argv: (input: z.infer<z.ZodObject<Shape>>) => readonly string[];
  },
): Tool {
  return { changes: false, asksManager: false, ...told, input: z.object(told.input), argv: told.argv };
}

const url = z.string().max(8192).describe('as it was asked for, with its query');
const taskId = z
  .string()
  .regex(/^[0-9a-f]{4,64}$/)
  .describe('of list_tasks; its first digits are enough');
const rate = z.string().regex(/^\d+(\.\d+)?[kmgtKMGT][bB](\/s)?$/);

const since = z
  .string()
  .regex(/^\d+[smhd]$/)
  .default('7d')
  .describe('how far back: 12h, 7d, 365d');
const limit = z.int().min(1).max(1000).default(20);

export const tools: readonly Tool[] = [
  tool({
    name: 'examine_node',
    title: 'Is this node well?',
    description:
      'Examines this node: configuration, dfdaemon, ports, disk, schedulers, manager, clock, certificates, container engines. One finding a line; "hint" says what to do.',
    input: {},
    program: 'doctor',
    argv: () => ['--json'],
  }),
  tool({
    name: 'explain_url',
    title: 'Why was this slow, or not shared?',
    description:
      'Examines this node and tells why a download of this URL did or did not come from other nodes: rule of the proxy, what is stored, what the scheduler knows, the last receipt.',
    input: {
      url,
      tag: z.string().max(256).optional().describe('the download had'),
      application: z.string().max(256).optional().describe('the download had'),
    },
    program: 'doctor',
    argv: ({ url: asked, tag, application }) => [
      '--json',
      ...(tag === undefined ? [] : [`--tag=${tag}`]),
      ...(application === undefined ? [] : [`--application=${application}`]),
      '--',
      asked,
    ],
  }),
  tool({
    name: 'list_tasks',
    title: 'What is stored here?',
    description: 'The tasks stored on this node: name, size, state, how often they were given to other nodes.',
    input: { sort: z.enum(['used', 'created', 'size', 'uploads', 'name']).default('used') },
    program: 'dfctl',
    argv: ({ sort }) => ['task', 'ls', '--json', '--sort', sort],
  }),
  tool({
    name: 'show_task',
    title: 'One task',
    description:
      'What is stored of one task here, and what its scheduler knows: state, peers, whether one of them can give it.',
    input: { id: taskId },
    program: 'dfctl',
    argv: ({ id }) => ['task', 'show', '--json', '--', id],
  }),
  tool({
    name: 'list_receipts',
    title: 'Where did the bytes come from?',
    description:
      'Receipts of past downloads, newest first: bytes from the origin, from this node and from each parent, requests at the origin, retries, duration.',
    input: {
      id: taskId.optional().describe('of one task only'),
      limit: z.int().min(1).max(200).default(20),
    },
    program: 'dfctl',
    argv: ({ id, limit }) => [
      'task',
      'receipts',
      '--json',
      '--limit',
      String(limit),
      ...(id === undefined ? [] : ['--', id]),
    ],
  }),
  tool({
    name: 'verify_task',
    title: 'Are the stored bytes right?',
    description: 'Reads a stored task back from the disk and compares every piece with its checksum.',
    input: { id: taskId },
    program: 'dfctl',
    argv: ({ id }) => ['task', 'verify', '--json', '--', id],
  }),
  tool({
    name: 'list_nodes',
    title: 'How are the nodes?',
    description:
      'All nodes of the manager with what wants attention: online, silent (hung), lost and since when, disk, memory, uploads.',
    input: {},
    asksManager: true,
    program: 'dfctl',
    argv: () => ['top', '--json'],
  }),
  tool({
    name: 'show_node',
    title: 'One node',
    description:
      'One node of the manager: how it is, what it gives, and its last states with the time and the reason of each.',
    input: { name: z.string().max(512).describe('name, address or id') },
    asksManager: true,
    program: 'dfctl',
    argv: ({ name }) => ['node', 'show', '--json', '--', name],
  }),
  tool({
    name: 'traffic',
    title: 'Who got how much?',
    description:
      'What applications, tags, zones (data centres), nodes or origins got or sent in the past, beside the time as long before: peer_bytes are what the origin was spared, origin_bytes what it sent, given_bytes what a node gave to others, failures what failed. The last line is the total. sort: failures finds nodes that drag and origins that fail.',
    input: {
      by: z.enum(['application', 'tag', 'zone', 'node', 'origin']).default('application'),
      since,
      sort: z.enum(['bytes', 'given', 'failures']).default('bytes'),
      name: z.string().max(255).optional().describe('only the one of this name'),
      limit,
    },
    asksManager: true,
    program: 'dfctl',
    argv: ({ by, since: back, sort, name, limit: count }) => [
      'traffic',
      'ls',
      '--json',
      `--by=${by}`,
      `--since=${back}`,
      `--sort=${sort}`,
      `--limit=${count}`,
      ...(name === undefined ? [] : [`--name=${name}`]),
    ],
  }),
  tool({
    name: 'distributions',
    title: 'How did distributions go?',
    description:
      'Distributions that have ended: content, nodes, time to the last node and which that was, copies that the origin sent, failures.',
    input: {
      since,
      sort: z.enum(['ended', 'slowest', 'bytes', 'origin', 'downloads', 'failures']).default('ended'),
      task: z
        .string()
        .regex(/^[0-9a-f]{1,64}$/)
        .optional()
        .describe('only of this task; its first digits are enough'),
      url: z.string().max(2048).optional().describe('only whose URL has this in it'),
      limit,
    },
    asksManager: true,
    program: 'dfctl',
    argv: ({ since: back, sort, task, url: part, limit: count }) => [
      'distribution',
      'ls',
      '--json',
      `--since=${back}`,
      `--sort=${sort}`,
      `--limit=${count}`,
      ...(task === undefined ? [] : [`--task=${task}`]),
      ...(part === undefined ? [] : [`--url=${part}`]),
    ],
  }),
  tool({
    name: 'hot_content',
    title: 'What is asked for most?',
    description:
      'Content by the number of its downloads in the past, with what nodes gave each other and what the origin sent.',
    input: { since, limit },
    asksManager: true,
    program: 'dfctl',
    argv: ({ since: back, limit: count }) => ['distribution', 'top', '--json', `--since=${back}`, `--limit=${count}`],
  }),
  tool({
    name: 'report',
    title: 'A month in one answer',
    description:
      'A month: what was saved, beside the month before, by application, zone, node and origin; what was slow, what failed.',
    input: {
      month: z
        .string()
        .regex(/^\d{4}-\d{2}$/)
        .optional()
        .describe('like 2026-11; by default the one that is now'),
    },
    asksManager: true,
    program: 'dfctl',
    argv: ({ month }) => ['report', '--json', ...(month === undefined ? [] : [`--month=${month}`])],
  }),
  tool({
    name: 'simulate',
    title: 'What if?',
    description:
      'Runs the real decisions of scheduler and peers in virtual time: how long a file takes to the last of so many nodes, beside the limit of their links, and how many copies the origin sends.',
    input: {
      peers: z.int().min(1).max(2000),
      size: rate.describe('of the content, for example 10GB'),
      up: rate.describe('uplink of every node, for example 1GB/s'),
      down: rate.optional().describe('downlink; as the uplink when left out'),
      seed: z.int().min(1).max(9_999_999).default(1).describe('the same seed gives the same run'),
    },
    program: 'simulate',
    argv: ({ peers, size, up, down, seed }) => [
      '--json',
      `--peers=${peers}`,
      `--size=${size}`,
      `--up=${up}`,
      ...(down === undefined ? [] : [`--down=${down}`]),
      `--seed=${seed}`,
    ],
  }),
  tool({
    name: 'preheat',
    title: 'Bring content to nodes',
    description:
      'Has a scheduler bring a file, or with oci://registry/repository:tag an image, to nodes before anybody asks for it.',
    input: {
      url,
      scheduler: z.string().max(300).describe('host:port of the scheduler, usually port 8002'),
      scope: z.enum(['single_seed_peer', 'all_seed_peers', 'all_peers']).default('single_seed_peer'),
    },
    changes: true,
    program: 'dfctl',
    argv: ({ url: asked, scheduler, scope }) => [
      'task',
      'preheat',
      '--json',
      `--scheduler-endpoint=${scheduler}`,
      `--scope=${scope}`,
      '--',
      asked,
    ],
  }),
  tool({
    name: 'remove_task',
    title: 'Remove from this node',
    description: 'Removes a stored task from this node and tells its scheduler.',
    input: { id: taskId },
    changes: true,
    program: 'dfctl',
    argv: ({ id }) => ['task', 'rm', '--json', '--', id],
  }),
];
