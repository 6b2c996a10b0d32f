import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { temporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { pemOf } from './pem.ts';

const pem = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';

test('PEM is taken as it is, or from the file that is named', async () => {
  await using directory = await temporaryDirectory();
  writeFileSync(directory.join('ca.crt'), pem);
  assert.equal(await pemOf(pem, 'security.caCert'), pem);
  assert.equal(await pemOf(directory.join('ca.crt'), 'security.caCert'), pem);
  await assert.rejects(pemOf(directory.join('absent'), 'security.caCert'), {
    code: 'CONFIG_INVALID',
    message: /^security\.caCert cannot be read: .*absent/,
  });
});
