/** Completion as the shells themselves do it, from the script that the product prints. */
// needs: zsh, fish
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { wordsIn } from '../../src/cli/completion/words.ts';
import { parseHelp } from '../../src/cli/help-text.ts';
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary-directory.ts';
import { productCommand } from '../support/product.ts';

const run = promisify(execFile);

describe('completion', () => {
  let directory: TemporaryDirectory;

  before(async () => {
    directory = await temporaryDirectory('df-completion-');
    for (const shell of ['bash', 'zsh', 'fish']) {
      const [program, ...words] = productCommand('dragonfly');
      const { stdout } = await run(program, [...words, 'completion', shell]);
      await writeFile(directory.join(shell), stdout);
    }
  });
  after(() => directory[Symbol.asyncDispose]());

  async function inBash(line: string): Promise<string[]> {
    const words = line.split(' ');
    const script = `source "$1"; COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}
      _dragonfly "\${COMP_WORDS[0]}"; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return linesOf(await run('bash', ['--norc', '-c', script, 'bash', directory.join('bash')]));
  }

  /** What would be described to the person at the terminal. */
  async function inZsh(line: string): Promise<string[]> {
    const words = line.split(' ');
    const script = `compdef() { : }; _files() { : }
      _describe() { local name=$4; print -rl -- "\${(@P)name}" }
      source "$1"; words=(${words.map((word) => `'${word}'`).join(' ')}); CURRENT=${words.length}; PREFIX='${words.at(-1) ?? ''}'
      _dragonfly`;
    const lines = linesOf(await run('zsh', ['-f', '-c', script, 'zsh', directory.join('zsh')]));
    return lines.map((one) => one.split(':')[0] ?? '').filter((word) => word.startsWith(words.at(-1) ?? ''));
  }

  async function inFish(line: string): Promise<string[]> {
    const script = `source ${directory.join('fish')}; complete -C '${line}'`;
    const lines = linesOf(await run('fish', ['--no-config', '-c', script]));
    return lines.map((one) => one.split('\t')[0] ?? '');
  }

  const shells = { bash: inBash, zsh: inZsh, fish: inFish };
  for (const [name, complete] of Object.entries(shells)) {
    it(`offers programs, sub-commands and options (${name})`, async () => {
      assert.deepEqual((await complete('dragonfly dfc')).sort(), ['dfcache', 'dfctl']);
      assert.deepEqual((await complete('dragonfly dfctl ')).sort(), [
        'cluster',
        'distribution',
        'node',
        'persistent-cache-task',
        'persistent-task',
        'release',
        'replication',
        'report',
        'task',
        'top',
        'traffic',
      ]);
      assert.deepEqual((await complete('dfctl node ')).sort(), ['ls', 'show']);
      assert.deepEqual(await complete('dfctl task ls --s'), ['--sort']);
      assert.deepEqual(await complete('dfget --ov'), ['--overwrite']);
      assert.deepEqual((await complete('dragonfly completion ')).sort(), ['bash', 'fish', 'zsh']);
    });
  }

  it('reads the help of commander: short and long options, wrapped meanings, commands with arguments', () => {
    const help = `Usage: x [options]

Options:
  -o, --output <path>  where to, or
                       - for nowhere
  --no-verify          do not

Commands:
  ls [options] <id>    lists
`;
    assert.deepEqual(wordsIn(parseHelp(help)), [
      { word: 'ls', text: 'lists' },
      { word: '-o', text: 'where to, or - for nowhere' },
      { word: '--output', text: 'where to, or - for nowhere' },
      { word: '--no-verify', text: 'do not' },
    ]);
  });
});

function linesOf({ stdout }: { readonly stdout: string }): string[] {
  return stdout.split('\n').filter((line) => line !== '');
}
