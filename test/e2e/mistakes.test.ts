/** Thirty mistakes on command lines: one sentence, a hint, the documented exit code, lines that fit a terminal. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { productCommand } from '../support/product.ts';
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary-directory.ts';

const url = 'http://127.0.0.1:1/file';

/** Without a daemon dfget says so first, in these two lines. */
const notices = /^dfget: (?:no dfdaemon runs here|downloading from the origin)/;

const mistakes: readonly (readonly [command: string, exit: number, sentence: RegExp])[] = [
  ['dfget', 2, /the URL is missing/],
  [`dfget ${url}`, 2, /the output is missing/],
  [`dfget ${url} -O `, 2, /the output is missing/],
  ['dfget -O out', 2, /the URL is missing/],
  [`dfget ${url} -O`, 2, /argument missing/],
  [`dfget ${url} -O no/such/out`, 5, /the directory \S+ does not exist/],
  [`dfget ${url} -O .`, 5, /is a directory/],
  [`dfget ${url} -O there`, 5, /exists/],
  [`dfget ${url} -O there/out`, 5, /not a directory/],
  [`dfget ${url} -O loop`, 5, /symbolic links/],
  ['dfget host/file -O out', 2, /is not a URL/],
  ['dfget http://127.0.0.1:99999/x -O out', 2, /is not a URL/],
  ['dfget htp://host/file -O out', 2, /scheme "htp"/],
  ['dfget s3:///key -O out', 2, /names no bucket/],
  ['dfget oss://bucket/key -O out', 2, /needs the endpoint/],
  ['dfget hf://name -O out', 2, /names no repository/],
  [`dfget ${url} -O out`, 6, /nothing listens there/],
  ['dfget http://no-such-host.invalid/x -O out', 6, /host name is unknown/],
  [`dfget ${url} -O out --timeout soon`, 2, /is not a duration/],
  [`dfget ${url} -O out --timeout -5`, 2, /is not a duration/],
  [`dfget ${url} -O out --timeout 400d`, 2, /too long/],
  [`dfget ${url} -O out --digest sha256:xyz`, 2, /is not valid/],
  [`dfget ${url} -O out --digest md99:1`, 2, /algorithm must be/],
  [`dfget ${url} -O out -H bad`, 2, /header "bad" is malformed/],
  [`dfget ${url} -O out --range 5-2`, 2, /is not a range/],
  [`dfget ${url} -O out --priority 9`, 2, /--priority/],
  [`dfget ${url} -O out --piece-length 1`, 2, /too short/],
  [`dfget ${url} -O out --ratelimit fast`, 2, /is not a size/],
  [`dfget ${url} -O out --ouput x`, 2, /unknown option '--ouput'/],
  [`dfget ${url} http://b/c -O out`, 2, /one argument too many/],
  [`dfget ${url} -O out --endpoint none.sock --disable-back-to-source`, 6, /no dfdaemon runs here/],
  [`dfget ${url} -O out -r --accept-regex (`, 2, /regular expression/],
  ['dfctl tsk ls', 2, /unknown command 'tsk'/],
  ['dfctl task rm', 2, /'id'/],
  ['dfctl task ls --endpoint none.sock', 6, /no dfdaemon runs here/],
  ['dfctl task preheat http://host/x', 2, /scheduler is not named/],
  ['dragonfly setup nosuch', 2, /not a client/],
  ['dragonfly setup docker --proxy here', 2, /is not a URL/],
  ['dragonfly setup containerd --undo --state-dir none', 1, /nothing to undo/],
  ['dragonfly dfgt x', 2, /is not a program/],
  ['dfdaemon --config none.yaml', 2, /cannot read the configuration/],
  ['dfdaemon --set upload.rateLimit=fast', 2, /is not a size/],
  ['dragonfly scheduler --log-level loud', 2, /'loud' is invalid/],
];

describe('a mistake on a command line', { concurrency: 2 }, () => {
  let work: TemporaryDirectory;
  before(async () => {
    work = await temporaryDirectory();
    writeFileSync(work.join('there'), 'mine');
    symlinkSync('loop', work.join('loop'));
    mkdirSync(work.join('home'));
  });
  after(() => work[Symbol.asyncDispose]());

  for (const [command, exit, sentence] of mistakes) {
    test(command, { timeout: 120_000 }, async () => {
      const [program = '', ...args] = command.split(' ');
      const [file, ...first] = productCommand(program);
      const env = { ...process.env, HOME: work.join('home'), DFGET_ENDPOINT: '' };
      const child = spawn(file, [...first, ...args], { cwd: work.path, env, stdio: ['ignore', 'pipe', 'pipe'] });
      let text = '';
      child.stderr.setEncoding('utf8').on('data', (part) => (text += part));
      child.stdout.resume();
      const [status] = (await once(child, 'close')) as [number | null];
      assert.equal(status, exit, text);
      const lines = text
        .trimEnd()
        .split('\n')
        .filter((line, index) => index > 1 || !notices.test(line) || exit === 6);
      const hintAt = lines.findIndex((line) => line.startsWith('hint: '));
      assert.ok(hintAt > 0, `no hint: ${text}`);
      assert.match(text.replace(/\s+/g, ' '), sentence);
      assert.ok(
        lines.slice(hintAt + 1).every((line) => line.startsWith('  ')),
        `more after the hint: ${text}`,
      );
      for (const line of lines) {
        const breakable = line.trim().includes(' ');
        assert.ok(line.length <= 80 || !breakable, `${line.length} columns: ${line}`);
      }
      assert.doesNotMatch(text, /^\s+at /m);
    });
  }
});
