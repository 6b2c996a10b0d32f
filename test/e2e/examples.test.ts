// needs: nginx, curl, docker-registry, skopeo, umoci
/** Every example of the repository does what its README says, up to its last line. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { freePort } from '../support/free-port.ts';
import { productCommand } from '../support/product.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const examples = fileURLToPath(new URL('../../examples/', import.meta.url));
const deadlineMs = 300_000;

const names = globSync('*/run.sh', { cwd: examples }).map((path) => path.replace('/run.sh', ''));
assert.ok(names.length >= 3, names.join(', '));
for (const name of names.sort()) {
  test(`${name} runs, proves what it shows, and leaves nothing behind`, async () => {
    await using directory = await temporaryDirectory('df-');
    const [DRAGONFLY] = productCommand('dragonfly');
    const port = String(await freePort());
    const env = { ...process.env, DRAGONFLY, TMPDIR: directory.path };
    const { stdout } = await promisify(execFile)('sh', [join(examples, name, 'run.sh')], {
      env: { ...env, ORIGIN_PORT: port, REGISTRY_PORT: port, HUB_PORT: port },
      timeout: deadlineMs,
    });
    const last = stdout.trimEnd().split('\n').at(-1) ?? '';
    const readme = readFileSync(join(examples, name, 'README.md'), 'utf8');
    assert.match(readme, new RegExp(`^\`\`\`\n${last}\n\`\`\`$`, 'm'), stdout);
    assert.deepEqual(globSync('df-*', { cwd: directory.path }), []);
  });
}
