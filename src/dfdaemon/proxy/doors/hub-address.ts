/** Where the hub is, what of it is behind the door, and who it takes a caller for. */
import { createHash } from 'node:crypto';

export class HubAddress {
  /** Path of the door at the proxy's port. */
  readonly doorPath: string;
  readonly base: URL;

  /** @param endpoint of the hub, as users write it: `https://huggingface.co` */
  constructor(doorPath: string, endpoint: string) {
    this.doorPath = doorPath;
    this.base = new URL(endpoint.replace(/\/*$/, '/'));
  }

  /** The hub's URL for what comes after the door; `rest` begins with a slash. */
  urlOf(rest: string): { readonly url: URL; readonly target: string } {
    const target = `${this.base.pathname.replace(/\/$/, '')}${rest}`;
    return { url: new URL(`${this.base.origin}${target}`), target };
  }

  /**
   * A link of the hub as it leads through the door; a link to anywhere else stays as it is.
   * @param door scheme and authority for what is an absolute link; empty for links that may be relative.
   */
  throughDoor(link: string, door: string): string {
    if (!URL.canParse(link, this.base.href)) return link;
    const url = new URL(link, this.base);
    const { pathname } = this.base;
    if (url.origin !== this.base.origin || !url.pathname.startsWith(pathname)) return link;
    return `${door}${this.doorPath}/${url.pathname.slice(pathname.length)}${url.search}`;
  }
}

/** What the hub knows a caller by; empty for one it does not know. Its clients send much that differs from request to request. */
export function hubCaller({ authorization = '', cookie = '' }: Readonly<Record<string, string>>): string {
  if (authorization === '' && cookie === '') return '';
  return createHash('sha256').update(`${authorization}\n${cookie}`).digest('base64');
}
