/** The command line of dfget: flags of both generations of the original, their environment variables, and validation. */
import { resolve } from 'node:path';
import { Command as Parser, CommanderError, Option } from 'commander';
import { parseRangeHeader } from '../../core/byte-range.ts';
import type { CommandIo } from '../../core/process/command.ts';
import { parseDigest, type Digest } from '../../core/digest.ts';
import { DragonflyError } from '../../core/errors.ts';
import { compilePattern, patternProblem, type Pattern } from '../../core/pattern.ts';
import { minPieceLengthBytes } from '../../core/piece-layout.ts';
import { parseBytes } from '../../core/units.ts';
import { usageError } from '../../core/usage-error.ts';
import { version } from '../../core/version.ts';
import { defaultTimeout, flagTable } from './flags.ts';
import { parseTimeoutMs } from '../timeout-flag.ts';

export interface DfgetOptions {
  readonly url: string;
  /** Absolute path; undefined for standard output. */
  readonly output: string | undefined;
  readonly transfer: boolean;
  readonly overwrite: boolean;
  readonly forceHardLink: boolean;
  readonly timeoutMs: number | undefined;
  readonly digest: Digest | undefined;
  readonly range: { readonly first: number; readonly last: number | undefined } | undefined;
  /** Write a range at its own place in the file rather than at the file's beginning. */
  readonly originalOffset: boolean;
  readonly priority: number;
  readonly pieceLengthBytes: number | undefined;
  /** Bytes per second. */
  readonly rateLimit: number | undefined;
  readonly application: string | undefined;
  readonly tag: string | undefined;
  readonly contentForCalculatingTaskId: string | undefined;
  readonly header: Readonly<Record<string, string>>;
  readonly filteredQueryParams: readonly string[];
  readonly disableBackToSource: boolean;
  readonly objectStorage: Readonly<Record<string, string | boolean>> | undefined;
  readonly hdfsDelegationToken: string | undefined;
  readonly hub: { readonly token?: string; readonly revision: string; readonly baseUrl?: string } | undefined;
  readonly recursive: RecursiveOptions | undefined;
  readonly endpoint: string | undefined;
  readonly progress: boolean;
  readonly receipt: 'text' | 'json' | undefined;
}

export interface RecursiveOptions {
  readonly includes: readonly string[];
  readonly accept: Pattern | undefined;
  readonly reject: Pattern | undefined;
  /** How many levels of subdirectories are entered; 0 for all. */
  readonly level: number;
  readonly listOnly: boolean;
  readonly maxFiles: number;
  readonly maxConcurrentRequests: number;
}

/** Undefined when help or the version was requested and printed. Throws INVALID_ARGUMENT, UNSUPPORTED. */
export function parseDfgetOptions(argv: readonly string[], io: CommandIo): DfgetOptions | undefined {
  const parser = new Parser('dfget')
    .description('Downloads a file through the dfdaemon of this node, from its neighbours first.')
    .argument('[url]', 'what to download')
    .allowExcessArguments() // told in our own words
    .version(`dfget ${version}`, '-V, --version')
    .configureHelp({ minWidthToWrap: 20 })
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.stdout.write(text), writeErr: () => undefined });
  for (const { flags, text, env, repeat, alias } of flagTable) {
    const option = new Option(flags, env === undefined ? text : `${text} [${env}]`);
    if (repeat) option.argParser((value: string, before: string[] | undefined) => [...(before ?? []), value]);
    parser.addOption(alias ? option.hideHelp() : option);
  }
  try {
    parser.parse(argv.map(withFormat), { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return undefined;
    throw usageError(error, 'Run "dfget --help" for the flags.');
  }
  const values = withEnvironment(parser, io.env);
  return optionsOf(new Values(values), parser.args);
}

/** The receipt format needs an equals sign, because the word after a bare --receipt is the URL. */
function withFormat(argument: string): string {
  return argument === '--receipt' ? '--receipt=text' : argument;
}

function withEnvironment(parser: Parser, env: CommandIo['env']): Record<string, unknown> {
  const values: Record<string, unknown> = { ...parser.opts() };
  for (const { flags, env: name } of flagTable) {
    const text = name === undefined ? undefined : env[name];
    if (text === undefined || text === '') continue;
    const option = new Option(flags);
    const key = option.attributeName();
    const source = parser.getOptionValueSource(key);
    if (source !== undefined && source !== 'default') continue;
    if (option.required || option.optional) values[key] = text;
    else values[key] = (text === 'true' || text === '1') !== option.negate;
  }
  return values;
}

/** Typed access to the values of the command line. */
class Values {
  readonly #values: Readonly<Record<string, unknown>>;

  constructor(values: Readonly<Record<string, unknown>>) {
    this.#values = values;
  }

  flag(...keys: readonly string[]): boolean {
    return keys.some((key) => this.#values[key] === true);
  }

  text(...keys: readonly string[]): string | undefined {
    return keys.map((key) => this.#values[key]).find((value) => typeof value === 'string');
  }

  list(key: string): readonly string[] {
    const value = this.#values[key];
    return Array.isArray(value) ? (value as string[]) : [];
  }

  has(key: string): boolean {
    return this.#values[key] !== undefined;
  }

  integer(
    key: string,
    fallback: number,
    { least, most }: { least: number; most: number },
    ...aliases: string[]
  ): number {
    const text = this.text(key, ...aliases);
    if (text === undefined) return fallback;
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    throw invalid(`"${text}" is not a valid value of ${flagOf(key)}`, `Write a whole number from ${least} to ${most}.`);
  }
}

function optionsOf(values: Values, args: readonly string[]): DfgetOptions {
  const url = values.text('url') ?? args[0];
  if (url === undefined) throw invalid('the URL is missing', 'Write for example: dfget https://host/file -O file');
  if (args.length > 1) throw invalid(`"${args[1]}" is one argument too many`, 'Quote URLs that hold spaces or "&".');
  if (!URL.canParse(url)) throw invalid(`"${url}" is not a URL`, urlHint(url));
  const recursive = recursiveOptions(values);
  const named = values.text('output') || undefined;
  const output = named !== undefined && standardOutputs.has(named) ? '-' : named;
  if (output === undefined && !recursive?.listOnly) {
    throw invalid('the output is missing', 'Add -O <file>, or -O - for standard output.');
  }
  if (output === '-' && recursive) throw invalid('a directory cannot go to standard output', 'Give -O a directory.');
  const digest = values.text('digest');
  if (digest !== undefined && recursive)
    throw invalid('--digest belongs to one file', 'Leave it out with --recursive.');
  const receipt = values.text('receipt');
  if (receipt !== undefined && receipt !== 'text' && receipt !== 'json') {
    throw invalid(`"${receipt}" is not a format of a receipt`, 'Write --receipt or --receipt=json.');
  }
  const range = rangeOf(values.text('range'));
  if (range && recursive) throw invalid('--range belongs to one file', 'Leave it out with --recursive.');
  if (range && digest !== undefined) {
    throw invalid(
      '--digest is of the whole content and cannot verify a range',
      'Leave out one of --digest and --range.',
    );
  }
  const forceHardLink = values.flag('forceHardLink');
  if (forceHardLink && (range || output === '-' || values.flag('transferFromDfdaemon'))) {
    throw invalid('--force-hard-link needs the whole content in a file of the daemon', 'Leave it out here.');
  }
  const pieceLength = values.text('pieceLength');
  const pieceLengthBytes = pieceLength === undefined ? undefined : parseBytes(pieceLength);
  if (pieceLengthBytes !== undefined && pieceLengthBytes < minPieceLengthBytes) {
    throw invalid(`pieces of ${pieceLength} are too short`, 'The shortest piece length is 4MiB.');
  }
  return {
    url: recursive && !url.endsWith('/') ? `${url}/` : url,
    output: output === '-' || output === undefined ? undefined : resolve(output),
    transfer: values.flag('transferFromDfdaemon'),
    overwrite: values.flag('overwrite'),
    forceHardLink,
    timeoutMs: parseTimeoutMs(values.text('timeout') ?? defaultTimeout),
    digest: digest === undefined ? undefined : parseDigest(digest),
    range,
    originalOffset: values.flag('originalOffset'),
    priority: values.integer('priority', 6, { least: 0, most: 6 }, 'P'),
    pieceLengthBytes,
    rateLimit: rateLimitOf(values.text('ratelimit')),
    application: values.text('application'),
    tag: values.text('tag'),
    contentForCalculatingTaskId: values.text('contentForCalculatingTaskId'),
    header: headerOf(values.list('header')),
    filteredQueryParams: [...values.list('filteredQueryParam'), ...(values.text('filter')?.split('&') ?? [])],
    disableBackToSource: values.flag('disableBackToSource', 'disableBackSource'),
    objectStorage: objectStorageOf(values),
    hdfsDelegationToken: values.text('hdfsDelegationToken'),
    hub: hubOf(values, new URL(url).protocol),
    recursive,
    endpoint: values.text('endpoint', 'daemonSock'),
    progress: !values.has('progress') || values.flag('progress'),
    receipt,
  };
}

/** Opening these by name would lose what the shell has set up: an appended file, a socket, another user's terminal. */
const standardOutputs: ReadonlySet<string> = new Set(['-', '/dev/stdout', '/dev/fd/1', '/proc/self/fd/1']);

function recursiveOptions(values: Values): RecursiveOptions | undefined {
  if (!values.flag('recursive')) return undefined;
  const includes = values.list('includeFiles');
  const bad = includes.find((include) => include.startsWith('/') || include.split('/').includes('..'));
  if (bad !== undefined)
    throw invalid(`"${bad}" does not lie below the directory`, 'Write a relative path to --include-files.');
  const most = 1_000_000;
  return {
    includes,
    accept: regexOf(values.text('acceptRegex')),
    reject: regexOf(values.text('rejectRegex')),
    level: values.integer('level', 0, { least: 0, most: 1000 }),
    listOnly: values.flag('list'),
    maxFiles: values.integer('maxFiles', 100, { least: 1, most }),
    maxConcurrentRequests: values.integer('maxConcurrentRequests', 5, { least: 1, most: 256 }),
  };
}

function regexOf(text: string | undefined): Pattern | undefined {
  if (text === undefined) return undefined;
  const problem = patternProblem(text);
  if (problem !== undefined) throw invalid(`"${text}" ${problem}`, 'Correct the expression.');
  return compilePattern(text);
}

function rangeOf(text: string | undefined): DfgetOptions['range'] {
  if (text === undefined) return undefined;
  const [spec, ...more] = parseRangeHeader(text.startsWith('bytes=') ? text : `bytes=${text}`) ?? [];
  if (spec && 'first' in spec && more.length === 0) return spec;
  throw invalid(`"${text}" is not a range of bytes`, 'Write first-last, both counted from 0 and included, or first-.');
}

/** 0 sets no limit. */
function rateLimitOf(text: string | undefined): number | undefined {
  const bytes = text === undefined ? 0 : parseBytes(text);
  return bytes === 0 ? undefined : bytes;
}

function urlHint(text: string): string {
  return /^[a-z][a-z\d+.-]*:\/\/[^/]/i.test(text)
    ? 'Check host and port; a port is a number up to 65535.'
    : 'Write it with its scheme, for example https://host/path.';
}

function headerOf(lines: readonly string[]): Record<string, string> {
  const header: Record<string, string> = {};
  for (const line of lines) {
    const [, name, value] = /^([^:\s]+)\s*:\s*(.*)$/.exec(line) ?? [];
    if (name === undefined || value === undefined) {
      throw invalid(`the header "${line.slice(0, 40)}" is malformed`, 'Write --header "Name: value".');
    }
    header[name] = header[name] === undefined ? value : `${header[name]}, ${value}`;
  }
  return header;
}

function objectStorageOf(values: Values): DfgetOptions['objectStorage'] {
  const entries = [
    ['region', values.text('storageRegion')],
    ['endpoint', values.text('storageEndpoint')],
    ['accessKeyId', values.text('storageAccessKeyId')],
    ['accessKeySecret', values.text('storageAccessKeySecret')],
    ['sessionToken', values.text('storageSessionToken')],
    ['securityToken', values.text('storageSecurityToken')],
    ['credentialPath', values.text('storageCredentialPath')],
    ['predefinedAcl', values.text('storagePredefinedAcl')],
    ['insecureSkipVerify', values.flag('storageInsecureSkipVerify') || undefined],
  ] as const;
  const given = entries.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
  return given.length === 0 ? undefined : Object.fromEntries(given);
}

const hubs: Readonly<Record<string, { readonly prefix: string; readonly revision: string }>> = {
  'hf:': { prefix: 'hf', revision: 'main' },
  'modelscope:': { prefix: 'ms', revision: 'master' },
  'opencsg:': { prefix: 'csg', revision: 'main' },
};

function hubOf(values: Values, protocol: string): DfgetOptions['hub'] {
  const hub = Object.hasOwn(hubs, protocol) ? hubs[protocol] : undefined;
  if (!hub) return undefined;
  const [token, baseUrl] = [values.text(`${hub.prefix}Token`), values.text(`${hub.prefix}BaseUrl`)];
  const revision = values.text(`${hub.prefix}Revision`) ?? hub.revision;
  return { revision, ...(token !== undefined && { token }), ...(baseUrl !== undefined && { baseUrl }) };
}

function flagOf(key: string): string {
  return `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

function invalid(message: string, hint: string): DragonflyError {
  return new DragonflyError('INVALID_ARGUMENT', message, { hint });
}
