/** Python with packages of their usual index, in a directory of the test. */
import { execFile, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);
const installTimeoutMs = 300_000;

/** Why there can be no such Python; undefined when there can. */
export const pythonMissing: string | undefined =
  spawnSync('python3', ['-c', 'import ensurepip, venv'], { stdio: 'ignore' }).status === 0
    ? undefined
    : 'python3 with its module venv is not installed';

/**
 * Resolves with the path of its interpreter.
 * @param directory must not be there
 * @param packages as `pip install` takes them: names with versions, or paths
 */
export async function pythonEnvironment(directory: string, packages: readonly string[]): Promise<string> {
  const python = join(directory, 'bin/python');
  const options = { timeout: installTimeoutMs, maxBuffer: 2 ** 24 };
  await execute('python3', ['-m', 'venv', directory], options);
  const pip = ['-m', 'pip', '--disable-pip-version-check', 'install', '--quiet'];
  await execute(python, [...pip, ...packages], options);
  return python;
}
