/**
 * Lets programs of this node discover it: `GET /.well-known/dragonfly` at the proxy's port says that a dfdaemon answers
 * there, and which doors are open. It causes no request to anybody.
 */
import { version } from '../../../core/version.ts';
import { noteFirstByte, type ClientCall } from '../client-call.ts';
import type { RequestTarget } from '../wire/request-target.ts';
import type { Door } from './door.ts';

const path = '/.well-known/dragonfly';
/** Never contacted: this node answers itself. */
const nowhere: RequestTarget = { url: new URL(`http://dragonfly.invalid${path}`), target: path, authority: '' };

export interface OpenDoors {
  /** Path at the proxy's port, by the configured name of the door. */
  readonly paths: Readonly<Record<string, string>>;
  /** Address for clients of S3; undefined when that door is closed. */
  readonly s3?: { readonly host: string; readonly port: number } | undefined;
}

export class WellKnown implements Door {
  readonly #doors: OpenDoors;

  constructor(doors: OpenDoors) {
    this.#doors = doors;
  }

  target(pathAndQuery: string): RequestTarget | undefined {
    return pathAndQuery === path ? nowhere : undefined;
  }

  answer({ request, response, record }: ClientCall): Promise<void> {
    record.way = 'cache';
    const { paths, s3 } = this.#doors;
    const doors = { ...paths, ...(s3 && { s3: urlOf(s3, request.headers.host) }) };
    const body = Buffer.from(JSON.stringify({ service: 'dragonfly', version, doors }));
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    response.writeHead(isRead ? 200 : 405, {
      'content-type': 'application/json',
      'content-length': body.length,
      'cache-control': 'no-store',
      ...(isRead ? {} : { allow: 'GET, HEAD' }),
    });
    noteFirstByte(record);
    record.bytes = body.length;
    response.end(request.method === 'HEAD' ? undefined : body);
    return Promise.resolve();
  }
}

/** A port that listens on every address is announced under the name by which its client has reached this node. */
function urlOf({ host, port }: { readonly host: string; readonly port: number }, calledBy: string | undefined): string {
  const everywhere = host === '0.0.0.0' || host === '::';
  const called = everywhere && URL.canParse(`http://${calledBy ?? ''}`) ? new URL(`http://${calledBy}`).hostname : host;
  return `http://${called.includes(':') && !called.startsWith('[') ? `[${called}]` : called}:${port}`;
}
