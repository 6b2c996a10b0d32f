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
  /** Something is different afterwards: offered only where that is allowed. */
  readonly changes: boolean;
  /** It asks the manager: offered only where one is named. */
  readonly asksManager: boolean;
  readonly program: ProgramName;
  readonly argv: (input: never) => readonly string[];
}

/** Keeps the type of the input between the schema and the arguments made of it. */
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
