import assert from 'node:assert/strict';
import { it } from 'node:test';
import { entriesOfPage } from './directory-page.ts';

const url = 'http://host/dir/';
const html = (text: string) => [...entriesOfPage({ url, contentType: 'text/html; charset=utf-8', text })];
const json = (value: unknown) => [
  ...entriesOfPage({ url, contentType: 'application/json', text: JSON.stringify(value) }),
];

it('pages of nginx and Apache', () => {
  const nginx =
    html(`<html>\r\n<head><title>Index of /dir/</title></head>\r\n<body>\r\n<h1>Index of /dir/</h1><hr><pre><a href="../">../</a>\r
<a href="sub%20dir/">sub dir/</a>                                           01-Dec-2026 10:00                   -\r
<a href="a%25b&amp;c">a%b&amp;c</a>                                              01-Dec-2026 10:00                1234\r
<a href="%E2%82%AC">€</a>                                                  01-Dec-2026 10:00                 12K\r
</pre><hr></body>\r\n</html>`);
  assert.deepEqual(nginx, [
    { url: `${url}sub%20dir/`, contentLengthBytes: 0, isDirectory: true },
    { url: `${url}a%25b%26c`, contentLengthBytes: 1234, isDirectory: false },
    { url: `${url}%E2%82%AC`, contentLengthBytes: 0, isDirectory: false },
  ]);
  const apache = html(`<title>Index of /dir</title><a href="?C=N;O=D">Name</a> <a href="/">Parent Directory</a>
<img src="/icons/t.gif"> <a href="x.txt">x.txt</a> 2026-12-01 10:00  1.2K <a href="http://other/y">y</a> <a href="a/b">b</a> <a href="%2e%2e">up</a>`);
  assert.deepEqual(apache, [{ url: `${url}x.txt`, contentLengthBytes: 0, isDirectory: false }]);
});

it('pages of other servers: by the whole path, without a title, titled by the path', () => {
  const pages = {
    go: '<!doctype html>\n<meta name="viewport" content="width=device-width">\n<pre>\n<a href="a%20b">a b</a>\n<a href="sub/">sub/</a>\n</pre>',
    tomcat:
      '<html><head><title>Directory Listing For [/dir/] - Up To [/]</title></head><a href="/"><b>Up To [/]</b></a><a href="/dir/a%20b"><tt>a b</tt></a><a href="/dir/sub/"><tt>sub/</tt></a>',
    jetty:
      '<title>Directory: /dir/</title><a href="../">Parent Directory</a><a href="/dir/a%20b">a b&nbsp;</a><a href="/dir/sub/">sub/&nbsp;</a><a href="/dir/sub/deep">x</a>',
    caddy: '<style></style><title>/dir/</title><a href="./a%20b"><svg></svg>a b</a><a href="./sub/"><svg></svg>sub</a>',
    iis: '<title>host - /dir/</title><A HREF="/">[To Parent Directory]</A><A HREF="/dir/a%20b">a b</A><A HREF="/dir/sub/">sub</A>',
  };
  for (const [server, page] of Object.entries(pages))
    assert.deepEqual(
      html(page).map((file) => file.url),
      [`${url}a%20b`, `${url}sub/`],
      server,
    );
  assert.throws(() => html('<title>other - /elsewhere/</title><a href="x">x</a>'), { code: 'UNSUPPORTED' });
});

it('pages of nginx as JSON', () => {
  const mtime = 'Tue, 01 Dec 2026 10:33:40 GMT';
  assert.deepEqual(
    json([
      { name: 'sub', type: 'directory', mtime },
      { name: 'a%b', type: 'file', mtime, size: 7 },
      { name: '..', type: 'directory', mtime },
      { name: 'x/y', type: 'file', mtime, size: 7 },
    ]),
    [
      { url: `${url}sub/`, contentLengthBytes: 0, isDirectory: true },
      { url: `${url}a%25b`, contentLengthBytes: 7, isDirectory: false, validator: mtime },
    ],
  );
});

it('any other page is none', () => {
  for (const page of ['<title>Welcome</title><a href="x">x</a>', ''])
    assert.throws(() => html(page), { code: 'UNSUPPORTED' });
  for (const value of [{}, [1], [{ name: 'a' }], [{ type: 'file' }], 'text', null])
    assert.throws(() => json(value), { code: 'UNSUPPORTED' });
  const other = { url, contentType: 'text/plain', text: '<title>Index of /</title><a href="x">x</a>' };
  assert.throws(() => [...entriesOfPage(other)], { code: 'UNSUPPORTED' });
});

it('a name with a colon is no scheme where the server says that it is here', () => {
  const files = html(
    `<title>Index of /</title><a href="./app:v1">app:v1</a> <a href="./d:1/">d:1/</a> <a href="javascript:x">x</a>`,
  );
  assert.deepEqual(
    files.map((file) => file.url),
    [`${url}app%3Av1`, `${url}d%3A1/`],
  );
});

it('a name that cannot be read is told of, not left out', () => {
  for (const name of ['%zz', '%E9', './%FF:x'])
    assert.throws(() => html(`<title>Index of /</title><a href="x">x</a> <a href="${name}">y</a>`), {
      code: 'UNSUPPORTED',
      message: /not UTF-8/,
    });
});

it('no more of a page is read than is wanted', () => {
  const text = `<title>Index of /</title>${'<a href="x">x</a>\n'.repeat(10)}<a href="%zz">z</a>`;
  const entries = entriesOfPage({ url, contentType: 'text/html', text });
  for (let count = 0; count < 10; count += 1) assert.equal(entries.next().value?.url, `${url}x`);
  assert.throws(() => entries.next(), { code: 'UNSUPPORTED' });
  for (const contentType of ['text/html', 'application/json']) {
    const long = entriesOfPage({ url, contentType, text: ' '.repeat(8 * 2 ** 20 + 1) });
    assert.throws(() => long.next(), { code: 'UNSUPPORTED', message: /longer than/ });
  }
});
