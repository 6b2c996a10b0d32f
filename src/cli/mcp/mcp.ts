/**
 * `dragonfly mcp`: gives agents access to this node by the Model Context Protocol over standard input and output. It is
 * read-only unless `--allow-changes` is given.
 */
import { once } from 'node:events';
import { PassThrough, Writable, type Readable } from 'node:stream';
import { McpServer } from '@modelcontextprotocol/server';
import { serveStdio, StdioServerTransport } from '@modelcontextprotocol/server/stdio';
import { Command as Parser, CommanderError } from 'commander';
import type { Command, CommandIo } from '../../core/process/command.ts';
import { toDragonflyError } from '../../core/errors.ts';
import { aborted } from '../../core/process/lifecycle.ts';
import { usageError } from '../../core/usage-error.ts';
import { version } from '../../core/version.ts';
import { tools, type ProgramName, type Tool } from './tools.ts';

export type Programs = Readonly<Record<ProgramName, () => Promise<Command>>>;

interface Flags {
  readonly endpoint?: string;
  readonly config?: string;
  readonly allowChanges?: boolean;
}

/** The longest answer. A longer one is cut at the end, because lists have the most important entries first. */
const maxAnswerChars = 200_000;
const callTimeoutMs = 600_000;

const instructions =
  'Dragonfly distributes files, images and models from node to node. Begin with examine_node. For one slow or failed download use explain_url, then list_receipts: a large share from the origin means that nobody else had it in time or that nothing was shared. simulate answers what-if questions without touching the cluster.';

export function createMcp(programs: Programs): Command {
  return async (argv, io) => {
    const flags = parse(argv, io);
    if (!flags) return 0;
    const hasManager = Boolean(io.env['DFCTL_TOKEN']);
    const offered = tools.filter(
      ({ changes, asksManager }) => (!changes || flags.allowChanges === true) && (!asksManager || hasManager),
    );
    // The library requires the stream classes, while a process's streams are known here only by their interfaces.
    const transport = new StdioServerTransport(io.stdin as Readable, io.stdout as Writable);
    const handle = serveStdio(() => serverOf(offered, { programs, io: ioOf(io, flags) }), {
      transport,
      onerror: (error) => io.stderr.write(`mcp: ${error.message}\n`),
    });
    await Promise.race([once(io.stdin, 'end'), once(io.stdin, 'close'), aborted(io.signal)]);
    await handle.close();
    return 0;
  };
}

interface Surroundings {
  readonly programs: Programs;
  readonly io: CommandIo;
}

function serverOf(offered: readonly Tool[], { programs, io }: Surroundings): McpServer {
  const server = new McpServer({ name: 'dragonfly', version }, { capabilities: { tools: {} }, instructions });
  for (const tool of offered) {
    const { name, title, description, input, changes } = tool;
    const annotations = {
      title,
      readOnlyHint: !changes,
      destructiveHint: name === 'remove_task',
      openWorldHint: false,
    };
    server.registerTool(name, { title, description, inputSchema: input, annotations }, async (given, { mcpReq }) => {
      const signal = AbortSignal.any([io.signal, mcpReq.signal, AbortSignal.timeout(callTimeoutMs)]);
      const { text, isError } = await run(tool, given, { programs, io: { ...io, signal } });
      return { content: [{ type: 'text', text }], isError };
    });
  }
  return server;
}

/** Runs the command in the same way a person would, and captures its output. */
async function run(
  { program, argv }: Tool,
  given: object,
  { programs, io }: Surroundings,
): Promise<{ text: string; isError: boolean }> {
  const output = new Kept();
  try {
    const command = await programs[program]();
    const code = await command(argv(given as never), {
      ...io,
      stdin: new PassThrough().end(),
      stdout: output,
      stderr: output,
    });
    // For a doctor, finding a problem is a success.
    const isError = code !== 0 && program !== 'doctor';
    return { text: output.text || 'Nothing.', isError };
  } catch (error) {
    const { code, message, hint } = toDragonflyError(error);
    return { text: `${output.text}${JSON.stringify({ error: code, message, hint })}\n`, isError: true };
  }
}

/** Keeps text up to the limit, and notes when there was more. */
class Kept extends Writable {
  text = '';

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    if (this.text.length < maxAnswerChars) {
      this.text += chunk.toString();
      if (this.text.length >= maxAnswerChars) this.text = `${this.text.slice(0, maxAnswerChars)}\n… and more\n`;
    }
    done();
  }
}

/** Passes this program's flags to the commands through the environment variables that they read. */
function ioOf(io: CommandIo, { endpoint, config }: Flags): CommandIo {
  return {
    ...io,
    env: {
      ...io.env,
      ...(endpoint !== undefined && { DFGET_ENDPOINT: endpoint }),
      ...(config !== undefined && { DFGET_CONFIG: config }),
    },
  };
}

function parse(argv: readonly string[], io: CommandIo): Flags | undefined {
  const parser = new Parser('mcp')
    .description('Serves this node to agents by the Model Context Protocol, over standard input and output.')
    .option('-e, --endpoint <path>', 'unix socket of the dfdaemon [DFGET_ENDPOINT]')
    .option('-c, --config <file>', 'of the dfdaemon [DFGET_CONFIG]')
    .option('--allow-changes', 'also offer to preheat and to remove; without it agents only read')
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.stdout.write(text), writeErr: () => undefined });
  try {
    parser.parse(argv, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return undefined;
    throw usageError(error, 'Run "dragonfly mcp --help" for the flags.');
  }
  return parser.opts<Flags>();
}
