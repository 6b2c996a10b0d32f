/** Compares task ids with those that the original computes. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { blobDigest, canonicalUrl, taskId } from './ids.ts';
import { signatureParams } from './net/signed-urls.ts';

/**
 * Made by a Rust program of our own that follows the protocol's formula with the crates the original is built on (`url`
 * 2.5.4 for parsing and for the form encoding of the query, `sha2`), so they are what a Rust client computes for the
 * same URL.
 */
const vectors = JSON.parse(readFileSync(new URL('../../test/vectors/task-ids.json', import.meta.url), 'utf8')) as {
  /** Task id by URL, with the default list of filtered parameters. */
  readonly urls: Readonly<Record<string, string>>;
  readonly special: readonly (Parameters<typeof taskId>[0] & { readonly id: string })[];
};

describe('task id', () => {
  const digest = 'a'.repeat(64);

  test('is the one of a Rust client for every URL', () => {
    const differing = Object.entries(vectors.urls).filter(([url, id]) => taskId({ url }) !== id);
    assert.deepEqual(differing, []);
    assert.ok(Object.keys(vectors.urls).length > 200);
  });

  test('is the one of a Rust client for tags, revisions, piece lengths, filters and blobs', () => {
    for (const { id, ...identity } of vectors.special) assert.equal(taskId(identity), id, JSON.stringify(identity));
  });

  test('is the digest of a registry blob under any registry name, signature or query', () => {
    const urls = [
      `https://one.example/v2/library/x/blobs/sha256:${digest}`,
      `http://two:5000/v2/y/blobs/sha256:${digest}?ns=docker.io`,
    ];
    for (const url of urls) assert.equal(taskId({ url }), digest);
    assert.equal(blobDigest('https://one.example/file'), undefined);
  });

  test('canonical URL drops the slash of a bare root', () => {
    assert.equal(canonicalUrl('http://host/', []), 'http://host');
    assert.equal(canonicalUrl('http://host/a/#x', []), 'http://host/a/#x');
    assert.throws(() => canonicalUrl('no url', []), { code: 'INVALID_ARGUMENT' });
  });
});

describe('signed URLs of one object are one task', () => {
  const vendors = ['Amz', 'Goog', 'oss', 'Obs', 'Tos', 'Kss', 'Bce'];
  const version4 = (vendor: string) => (i: number) =>
    ['Algorithm=A', `Credential=${i}`, `Date=${i}`, 'Expires=3600', 'SignedHeaders=host', `Signature=${i}`]
      .map((pair) => `X-${vendor}-${pair}`)
      .join('&') + `&x-${vendor.toLowerCase()}-security-token=${i}`;
  const signers: Readonly<Record<string, (i: number) => string>> = {
    ...Object.fromEntries(vendors.map((vendor) => [`${vendor} version 4`, version4(vendor)])),
    'S3 of an SDK': (i) => `${version4('Amz')(i)}&x-id=GetObject&X-Amz-Content-Sha256=UNSIGNED-PAYLOAD`,
    'S3 version 2': (i) => `AWSAccessKeyId=${i}&Signature=${i}%3D&Expires=${i}&x-amz-security-token=${i}`,
    'GCS version 2': (i) => `GoogleAccessId=a${i}&Expires=${i}&Signature=${i}`,
    'Azure service': (i) => `sv=2025-01-05&se=2026-01-0${i}T00%3A00%3A00Z&sr=b&sp=r&sig=s${i}%3D`,
    'Azure user': (i) =>
      `sp=r&sv=2018-11-09&sr=b&spr=https&se=${i}&skoid=${i}&sktid=1&skt=${i}&ske=${i}&sks=b&skv=1&sig=${i}`,
    'CloudFront policy': (i) => `Expires=${i}&Policy=eyJ${i}&Signature=S${i}&Key-Pair-Id=K${i}`,
    'CloudFront without time': (i) => `Policy=eyJ${i}&Signature=S${i}&Key-Pair-Id=K${i}`,
    'OSS version 1': (i) => `OSSAccessKeyId=${i}&Expires=${i}&Signature=${i}&security-token=${i}`,
    'OSS version 4': (i) =>
      `x-oss-signature-version=OSS4&x-oss-credential=${i}&x-oss-date=${i}&x-oss-expires=9&x-oss-signature=${i}`,
    'OBS version 2': (i) => `AccessKeyId=${i}&Expires=${i}&Signature=${i}&x-obs-security-token=${i}`,
    COS: (i) => `q-sign-algorithm=sha1&q-ak=${i}&q-sign-time=${i}&q-key-time=${i}&q-header-list=&q-signature=${i}`,
    'KS3 version 2': (i) => `KSSAccessKeyId=${i}&Expires=${i}&Signature=${i}`,
    "Docker Hub's CDN": (i) => `expires=${i}&signature=${i}&version=3`,
    Cloudflare: (i) => `verify=170000000${i}-abcdefghijklmnopqrstuv%3D`,
    'S3 by an asymmetric key': (i) => `${version4('Amz')(i)}&X-Amz-Region-Set=*`,
    'S3 Express': (i) => `${version4('Amz')(i)}&X-Amz-S3session-Token=t${i}`,
    'OSS version 2': (i) =>
      `x-oss-signature-version=OSS2&x-oss-access-key-id=L${i}&x-oss-expires=${i}&x-oss-signature=${i}&x-oss-additional-headers=referer`,
    'OSS for a network': (i) =>
      `OSSAccessKeyId=${i}&Expires=${i}&Signature=${i}&x-oss-ac-source-ip=10.0.0.${i}&x-oss-ac-subnet-mask=32`,
    'COS in one value': (i) => `sign=q-sign-algorithm%3Dsha1%26q-ak%3D${i}%26q-signature%3D${i}`,
    BOS: (i) => `authorization=bce-auth-v1%2Fak%2F2026-01-0${i}T00%3A00%3A00Z%2F300%2Fhost%2F${i}`,
    Kodo: (i) => `e=170000000${i}&token=${'k'.repeat(40)}:${'s'.repeat(26)}${i}%3D`,
    Swift: (i) => `temp_url_sig=${i}&temp_url_expires=${i}&temp_url_ip_range=10.0.0.${i}`,
    "Google's CDN": (i) => `URLPrefix=aHR0cHM6&Expires=${i}&KeyName=k${i}&Signature=${i}`,
    "Akamai's edge": (i) => `hdnts=exp=170000000${i}~acl=/*~hmac=${'a'.repeat(63)}${i}`,
    "Tencent's CDN": (i) => `sign=170000000${i}-r${i}-0-${'0'.repeat(31)}${i}`,
    "Tencent's CDN with a time": (i) => `sign=${'0'.repeat(31)}${i}&t=170000000${i}`,
    'nginx secure links': (i) => `md5=${'A'.repeat(21)}${i}&expires=170000000${i}`,
    Bunny: (i) => `token=HS256-${'A'.repeat(42)}${i}&expires=170000000${i}&token_path=%2F`,
    "Alibaba's CDN": (i) => `auth_key=170000000${i}-0-0-${'0'.repeat(31)}${i}`,
  };

  for (const [name, query] of Object.entries(signers)) {
    test(name, () => {
      for (const spell of [
        (text: string) => text,
        (text: string) => text.replace(/[\w-]+(?==)/g, (n) => n.toLowerCase()),
      ]) {
        const id = (i: number, more = ''): string =>
          taskId({ url: `https://store.example/key?${spell(query(i))}${more}` });
        assert.equal(id(1), id(2));
        for (const more of ['versionId', 'generation', 'partNumber', 'x-oss-process', 'response-content-disposition'])
          assert.notEqual(id(1), id(1, `&${more}=1`), more);
      }
    });
  }

  test('with what the service adds to know who asked', () => {
    const asset = (user: number): string =>
      `https://release-assets.githubusercontent.com/x?sv=1&se=${user}&sig=${user}&jwt=e${user}&rscd=attachment`;
    assert.equal(taskId({ url: asset(1) }), taskId({ url: asset(2) }));
    const elsewhere = asset(1).replace('githubusercontent.com', 'example.com');
    assert.notEqual(taskId({ url: elsewhere }), taskId({ url: elsewhere.replace('jwt=e1', 'jwt=e2') }));
  });

  for (const [host, query] of [
    [
      'cdn01.quay.io',
      'X-Amz-Signature=$&region=us-east-1&username=u$&akamai_signature=exp=170000000$~hmac=1234567890123456789012345678901$',
    ],
    ['cdn03.quay.io', 'X-Amz-Signature=$&cf_sign=$&cf_expiry=$&username=u$&namespace=n'],
    ['transfer.xethub.hf.co', 'user_id=$&repo_id=1&Expires=$&Policy=$&Signature=$&Key-Pair-Id=K&X-Xet-Session-Id=$'],
    ['raw.githubusercontent.com', 'token=GHSAT$'],
    ['f002.backblazeb2.com', 'Authorization=3_$'],
  ] as const) {
    test(`at ${host}`, () => {
      const id = (i: number): string => taskId({ url: `https://${host}/x?${query.replaceAll('$', String(i))}` });
      assert.equal(id(1), id(2));
    });
  }

  test('what a signature is for stays in: the range of a chunk of a model', () => {
    const id = (range: string): string =>
      taskId({
        url: `https://transfer.xethub.hf.co/xorbs/default/a?X-Xet-Signed-Range=bytes%3D${range}&Expires=1&Signature=1&Key-Pair-Id=K`,
      });
    assert.notEqual(id('0-9'), id('10-19'));
  });

  test('and common words alone are no signature', () => {
    for (const query of [
      'sig=1',
      'sv=1&se=2',
      'policy=1',
      'verify=true',
      'auth_key=me',
      'sp=1&st=2',
      'x-id=1',
      'q-ak2=1',
      'sign=1',
      'sign=a&t=1',
      'token=abc&expires=1',
      'token=abc&e=1',
      'md5=d41d8cd98f00b204e9800998ecf8427e&expires=1',
      'authorization=Basic%20eA',
      'hdnts=1',
      'temp_url_sig=1',
      'username=me&region=1',
      'token=GHSAT1',
    ])
      assert.deepEqual(signatureParams(new URL(`https://store.example/key?${query}`)), [], query);
  });
});
