/** Tests against AWS's published examples: its signature test suite, and those of the S3 documentation. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { emptyPayloadHash, encodePath, signV4, type SigningKey } from './sigv4.ts';

function signature(header: Readonly<Record<string, string>>): string | undefined {
  return /Signature=([0-9a-f]{64})$/.exec(header['authorization'] ?? '')?.[1];
}

describe('AWS Signature Version 4', () => {
  const suite: SigningKey = {
    accessKeyId: 'AKIDEXAMPLE',
    secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
    region: 'us-east-1',
    service: 'service',
  };

  it('signs as the test suite does', async () => {
    const cases: readonly [string, string, string][] = [
      ['GET', 'https://example.amazonaws.com/', '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31'],
      ['POST', 'https://example.amazonaws.com/', '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b'],
      [
        'GET',
        'https://example.amazonaws.com/?Param2=value2&Param1=value1',
        'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
      ],
    ];
    for (const [method, url, expected] of cases) {
      const header = await signV4(
        {
          method,
          url: new URL(url),
          header: {},
          date: new Date('2015-08-30T12:36:00Z'),
        },
        suite,
      );
      assert.equal(signature(header), expected, `${method} ${url}`);
    }
  });

  const s3: SigningKey = {
    accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
    secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
    region: 'us-east-1',
    service: 's3',
  };

  it('signs as the S3 documentation does', async () => {
    const cases: readonly [string, Record<string, string>, string][] = [
      ['/?lifecycle', {}, 'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543'],
      ['/?max-keys=2&prefix=J', {}, '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7'],
    ];
    for (const [path, header, expected] of cases) {
      const signed = await signV4(
        {
          method: 'GET',
          url: new URL(`https://examplebucket.s3.amazonaws.com${path}`),
          header: { ...header, 'x-amz-content-sha256': emptyPayloadHash },
          date: new Date('2013-05-24T00:00:00Z'),
        },
        s3,
      );
      assert.equal(signature(signed), expected, path);
    }
  });

  it('escapes keys in a way that URL leaves alone', () => {
    const key = "dir/a b+c&d=e'(f)*!~ü%.bin";
    const url = new URL(`https://host/${encodePath(key)}`);
    assert.equal(url.pathname, `/${encodePath(key)}`);
    assert.equal(decodeURIComponent(url.pathname.slice(1)), key);
    assert.match(url.pathname, /^[A-Za-z0-9\-._~%/]+$/);
  });
});
