/** `dragonfly completion SHELL`: prints the script that makes a shell complete the product's programs. */
import type { Command } from '../../core/process/command.ts';
import { DragonflyError } from '../../core/errors.ts';
import { bashScript, fishScript, zshScript } from './scripts.ts';
import type { NamedProgram } from '../help-text.ts';
import { wordsOf, type Words } from './words.ts';

const scripts: Readonly<Record<string, (words: Words) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

const help = `Usage: dragonfly completion <shell>

Prints the completion of all programs for bash, zsh or fish.

Options:
  -h, --help  display help for command
`;

const shells = `
Commands:
  bash        source <(dragonfly completion bash)
  zsh         source <(dragonfly completion zsh)
  fish        dragonfly completion fish | source
`;

export function createCompletion(programs: () => readonly NamedProgram[]): Command {
  return async ([shell = '', ...more], io) => {
    if ([shell, ...more].some((word) => word === '--help' || word === '-h')) {
      io.stdout.write(shell.startsWith('-') ? `${help}${shells}` : help);
      return 0;
    }
    const script = Object.hasOwn(scripts, shell) && more.length === 0 ? scripts[shell] : undefined;
    if (!script)
      throw new DragonflyError(
        'INVALID_ARGUMENT',
        shell === '' ? 'the shell is missing' : `"${shell}" is not a shell this knows`,
        {
          hint: 'Write dragonfly completion bash, zsh or fish.',
        },
      );
    io.stdout.write(script(await wordsOf(programs(), io)));
    return 0;
  };
}
