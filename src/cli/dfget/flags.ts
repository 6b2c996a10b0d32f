/** The flags of dfget: those of both generations of the original, with their environment variables. */

export interface Flag {
  readonly flags: string;
  readonly text: string;
  readonly env?: string;
  readonly repeat?: boolean;
  /** Another name for a flag above; hidden in the help. */
  readonly alias?: boolean;
}

export const defaultTimeout = '2h';

const hubSchemes = { hf: 'hf', ms: 'modelscope', csg: 'opencsg' } as const;

export const flagTable: readonly Flag[] = [
  { flags: '-O, --output <path>', text: 'file to write, "-" for standard output, a directory with --recursive' },
  { flags: '-u, --url <url>', text: 'the URL, instead of as an argument', alias: true },
  { flags: '--digest <algorithm:value>', text: 'md5, sha1, sha256, sha512 or crc32 the content must have' },
  { flags: '--range <first-last>', text: 'only these bytes: 0-9 are the first ten, 10- all but those' },
  { flags: '--original-offset', text: 'write a range at its own place in the file', alias: true },
  { flags: '-H, --header <name: value>', text: 'sent to the origin; may be repeated', repeat: true },
  { flags: '--overwrite', text: 'replace the output when it exists', env: 'DFGET_OVERWRITE' },
  { flags: '--force-hard-link', text: 'fail when the output cannot be a hard link', env: 'DFGET_FORCE_HARD_LINK' },
  {
    flags: '--transfer-from-dfdaemon',
    text: 'get the bytes over the socket and write the file here: for a daemon that sees other file systems',
    env: 'DFGET_TRANSFER_FROM_DFDAEMON',
  },
  {
    flags: '--timeout <duration>',
    text: `of the whole download, a plain number in seconds, 0 for none (default ${defaultTimeout})`,
    env: 'DFGET_TIMEOUT',
  },
  {
    flags: '--disable-back-to-source',
    text: 'never go to the origin from this node',
    env: 'DFGET_DISABLE_BACK_TO_SOURCE',
  },
  { flags: '--disable-back-source', text: '', alias: true },
  { flags: '--receipt [format]', text: 'tell where the bytes came from: text, or --receipt=json' },
  {
    flags: '--no-progress',
    text: 'no progress bar; without a terminal there is none anyway',
    env: 'DFGET_NO_PROGRESS',
  },
  { flags: '-b, --show-progress', text: '', alias: true },
  { flags: '-e, --endpoint <path>', text: 'unix socket of the dfdaemon', env: 'DFGET_ENDPOINT' },
  { flags: '--daemon-sock <path>', text: '', alias: true },
  { flags: '-r, --recursive', text: 'everything below the URL of a directory' },
  {
    flags: '-I, --include-files <path>',
    text: 'with --recursive: only this file, directory or pattern; may be repeated',
    repeat: true,
  },
  { flags: '--accept-regex <regex>', text: 'with --recursive: only URLs that match' },
  { flags: '--reject-regex <regex>', text: 'with --recursive: no URLs that match' },
  { flags: '--level <number>', text: 'with --recursive: depth, 0 for any (default 0)' },
  { flags: '--list', text: 'with --recursive: print the URLs, download nothing' },
  {
    flags: '--max-files <number>',
    text: 'with --recursive: more files and directories are an error (default 100)',
    env: 'DFGET_MAX_FILES',
  },
  {
    flags: '--max-concurrent-requests <number>',
    text: 'with --recursive: files, or bundles of small ones, at once (default 5)',
    env: 'DFGET_MAX_CONCURRENT_REQUESTS',
  },
  {
    flags: '--application <name>',
    text: 'of the caller; part of what makes a download the same',
    env: 'DFGET_APPLICATION',
  },
  { flags: '--tag <text>', text: 'keeps downloads of one URL apart', env: 'DFGET_TAG' },
  {
    flags: '--filtered-query-param <name>',
    text: 'query parameter that does not make another download; may be repeated',
    repeat: true,
  },
  { flags: '--filter <a&b>', text: '', alias: true },
  {
    flags: '--content-for-calculating-task-id <text>',
    text: 'makes the identity of the download, alone',
    env: 'DFGET_CONTENT_FOR_CALCULATING_TASK_ID',
  },
  { flags: '--piece-length <size>', text: '4MiB or more; by default from the length', env: 'DFGET_PIECE_LENGTH' },
  {
    flags: '--ratelimit <rate>',
    text: 'bytes per second of each file or bundle, such as 20MiB; 0 sets no limit (the default)',
  },
  { flags: '-p, --priority <0..6>', text: 'of the download (default 6)', env: 'DFGET_PRIORITY' },
  { flags: '-P <0..6>', text: '', alias: true },
  { flags: '--storage-region <name>', text: 'of the object storage', env: 'DFGET_STORAGE_REGION' },
  { flags: '--storage-endpoint <url>', text: 'of the object storage', env: 'DFGET_STORAGE_ENDPOINT' },
  { flags: '--storage-access-key-id <id>', text: 'of the object storage', env: 'DFGET_STORAGE_ACCESS_KEY_ID' },
  {
    flags: '--storage-access-key-secret <secret>',
    text: 'of the object storage',
    env: 'DFGET_STORAGE_ACCESS_KEY_SECRET',
  },
  { flags: '--storage-session-token <token>', text: 'of the object storage', env: 'DFGET_STORAGE_SESSION_TOKEN' },
  { flags: '--storage-security-token <token>', text: 'of the object storage', env: 'DFGET_STORAGE_SECURITY_TOKEN' },
  { flags: '--storage-credential-path <path>', text: 'of the object storage', env: 'DFGET_STORAGE_CREDENTIAL_PATH' },
  { flags: '--storage-predefined-acl <name>', text: 'of the object storage', env: 'DFGET_STORAGE_PREDEFINED_ACL' },
  {
    flags: '--storage-insecure-skip-verify',
    text: 'do not verify the certificate of the object storage',
    env: 'DFGET_STORAGE_INSECURE_SKIP_VERIFY',
  },
  { flags: '--hdfs-delegation-token <token>', text: 'for hdfs://', env: 'DFGET_HDFS_DELEGATION_TOKEN' },
  ...Object.entries(hubSchemes).flatMap(([hub, scheme]): Flag[] => {
    const flag = (name: string, value: string): Flag => ({
      flags: `--${hub}-${name} <${value}>`,
      text: `for ${scheme}://`,
      env: `DFGET_${`${hub}-${name}`.toUpperCase().replaceAll('-', '_')}`,
    });
    return [flag('revision', 'name'), flag('token', 'token'), flag('base-url', 'url')];
  }),
  // Accepted so that existing scripts keep working: logs and directories are up to the daemon.
  ...['-l, --log-level <level>', '--console', '--verbose', '--config <file>', '--service-name <name>'].map(ignored),
  ...['--workhome <dir>', '--logdir <dir>', '--datadir <dir>', '--cachedir <dir>', '--pprof-port <port>'].map(ignored),
  ignored('--jaeger <url>'),
];

function ignored(flags: string): Flag {
  return { flags, text: '', alias: true };
}
