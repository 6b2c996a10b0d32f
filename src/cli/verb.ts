/** A sub-command of the programs for imported content. */
import { Option, type Command as Parser } from 'commander';
import type { CommandIo } from '../core/process/command.ts';

/** One sub-command; each of its flags has an environment variable. */
export class Verb {
  readonly parser: Parser;
  readonly #prefix: string;
  readonly #io: CommandIo;

  constructor(parser: Parser, prefix: string, io: CommandIo) {
    this.parser = parser.addHelpText(
      'after',
      `\nEvery option can be given by the environment, as ${prefix}_ and its name in\ncapitals; the endpoint as ${prefix}_DFDAEMON_ENDPOINT.`,
    );
    this.#prefix = prefix;
    this.#io = io;
  }

  flag(flags: string, text: string, fallback?: string, named?: string): this {
    const option = new Option(flags, text);
    const name = `${this.#prefix}_${named ?? (option.long ?? '').replace(/^--/, '').replaceAll('-', '_').toUpperCase()}`;
    const value = this.#io.env[name];
    const isSet = value !== undefined && value !== '';
    const isSwitch = !option.required && !option.optional;
    if (isSet) option.default(isSwitch ? (value === 'true' || value === '1') !== option.negate : value);
    else if (fallback !== undefined) option.default(fallback);
    this.parser.addOption(option);
    return this;
  }

  common(): this {
    return this.flag('-e, --endpoint <path>', 'unix socket of the dfdaemon', undefined, 'DFDAEMON_ENDPOINT')
      .flag('--no-progress', 'no progress bar; without a terminal there is none anyway', undefined, 'NO_PROGRESS')
      .flag('-l, --log-level <level>', 'without effect: there is no log')
      .flag('--console', 'without effect: there is no log');
  }
}
