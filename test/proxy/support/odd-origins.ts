/** Origins that answer people differently, in the ways that real ones do. */
import { createHash, randomBytes } from 'node:crypto';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { serveBody } from './proxy-fixture.ts';

export type Person = 'owner' | 'other' | 'stranger';
export const people: readonly Person[] = ['owner', 'other', 'stranger'];

export interface OddOrigin {
  readonly name: string;
  readonly listener: RequestListener;
  /** What this person's client sends. */
  readonly header: (person: Person) => Record<string, string>;
  /** Its redirects lead to content: clients follow them, and so may the proxy. */
  readonly redirects?: boolean;
}

const content = randomBytes(300_000);
const page = Buffer.from('<html>sign in</html>');
const lastModified = 'Fri, 20 Nov 2026 10:00:00 GMT';
const serve = serveBody(content, { etag: '"v1"', 'last-modified': lastModified });

function bearer(person: Person): Record<string, string> {
  return person === 'stranger' ? {} : { authorization: `Bearer ${person}` };
}

/** For the owner alone; others are refused in the origin's own way. */
function guarded(refuse: (response: ServerResponse) => void, give: RequestListener = serve): RequestListener {
  return (request, response) => {
    if (request.headers.authorization === 'Bearer owner') return give(request, response);
    refuse(response);
  };
}

function refusal(status: number, header: Record<string, string> = {}): (response: ServerResponse) => void {
  const body = Buffer.from(`{"code":"refused with ${status}"}`);
  return (response) =>
    response
      .writeHead(status, { 'content-type': 'application/json', 'content-length': body.length, ...header })
      .end(body);
}

function showPage(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/html', 'content-length': page.length, etag: '"page"' }).end(page);
}

/** One URL, as many contents as people. */
function personal(header: 'authorization' | 'cookie'): RequestListener {
  return (request, response) => {
    const who = request.headers[header] ?? 'nobody';
    const body = createHash('sha512').update(who).digest('hex').repeat(1000);
    serveBody(Buffer.from(body), { etag: `"${createHash('md5').update(who).digest('hex')}"` })(request, response);
  };
}

/** As stores of objects sign requests: the header Range is part of what is signed. */
function signature(person: Person, range: string): string {
  return createHash('sha256').update(`${person} ${range}`).digest('hex');
}

function signed(request: IncomingMessage, response: ServerResponse): void {
  const { authorization = '', range = '' } = request.headers;
  if (!authorization.endsWith(`Signature=${signature('owner', range)}`)) return refusal(403)(response);
  if (request.headers['if-none-match'] === '"v1"') return void response.writeHead(304, { etag: '"v1"' }).end();
  serve(request, response);
}

function signedHeader(person: Person): Record<string, string> {
  const range = 'bytes=1000-1999';
  const parts = `Credential=${person}/20261129/eu/s3/aws4_request, SignedHeaders=host;range`;
  return { range, authorization: `AWS4-HMAC-SHA256 ${parts}, Signature=${signature(person, range)}` };
}

let replica = 0;

export const oddOrigins: readonly OddOrigin[] = [
  {
    name: 'sends strangers to a login page (302)',
    listener: (request, response) => {
      if (request.url?.startsWith('/login') === true) return showPage(response);
      guarded((refused) => refused.writeHead(302, { location: '/login', 'content-length': 0 }).end())(
        request,
        response,
      );
    },
    header: bearer,
  },
  {
    name: 'refuses strangers with 401',
    listener: guarded(refusal(401, { 'www-authenticate': 'Bearer realm="a"' })),
    header: bearer,
  },
  { name: 'refuses strangers with 403', listener: guarded(refusal(403)), header: bearer },
  { name: 'hides the object from strangers (404)', listener: guarded(refusal(404)), header: bearer },
  {
    name: 'has another content for each cookie',
    listener: personal('cookie'),
    header: (person) => (person === 'stranger' ? {} : { cookie: `user=${person}` }),
  },
  { name: 'has another content for each Authorization', listener: personal('authorization'), header: bearer },
  { name: 'tells no validator', listener: guarded(refusal(403), serveBody(content)), header: bearer },
  {
    name: 'tells a weak validator',
    listener: guarded(refusal(403), serveBody(content, { etag: 'W/"v1"' })),
    header: bearer,
  },
  {
    name: 'has replicas with validators of their own',
    listener: guarded(refusal(403), (request, response) => {
      replica += 1;
      serveBody(content, { etag: `"replica ${replica}"` })(request, response);
    }),
    header: bearer,
  },
  {
    name: 'refuses HEAD',
    listener: guarded(refusal(403), (request, response) =>
      request.method === 'HEAD' ? refusal(405)(response) : serve(request, response),
    ),
    header: bearer,
  },
  {
    name: 'refuses Range',
    listener: guarded(refusal(403), (request, response) =>
      request.headers.range === undefined ? serve(request, response) : refusal(501)(response),
    ),
    header: bearer,
  },
  { name: 'has Range signed', listener: signed, header: signedHeader },
  {
    name: 'redirects to where the content lies (307)',
    redirects: true,
    listener: (request, response) => {
      if (request.url?.startsWith('/cdn?signature=owner') === true) return serve(request, response);
      if (request.url?.startsWith('/cdn') === true) return refusal(403)(response);
      guarded(refusal(403), (_request, redirected) =>
        redirected.writeHead(307, { location: '/cdn?signature=owner', 'content-length': 0 }).end(),
      )(request, response);
    },
    header: bearer,
  },
];
