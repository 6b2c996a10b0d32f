/** Where the hub is, what of it is served behind the door, and by what it identifies a caller. */
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

  /** The hub's URL for the path below the door; `rest` begins with a slash. */
  urlOf(rest: string): { readonly url: URL; readonly target: string } {
    const target = `${this.base.pathname.replace(/\/$/, '')}${rest}`;
    return { url: new URL(`${this.base.origin}${target}`), target };
  }

  /**
   * Rewrites a link of the hub so that it leads through the door; links to other hosts stay as they are. @param door
   * scheme and authority for absolute links; empty for links that may be relative.
   */
  throughDoor(link: string, door: string): string {
    if (!URL.canParse(link, this.base.href)) return link;
    const url = new URL(link, this.base);
    const { pathname } = this.base;
    if (url.origin !== this.base.origin || !url.pathname.startsWith(pathname)) return link;
    return `${door}${this.doorPath}/${url.pathname.slice(pathname.length)}${url.search}`;
  }
}

/** What the hub identifies a caller by; empty for an anonymous one. Other headers differ from request to request. */
export function hubCaller({ authorization = '', cookie = '' }: Readonly<Record<string, string>>): string {
  if (authorization === '' && cookie === '') return '';
  return createHash('sha256').update(`${authorization}\n${cookie}`).digest('base64');
}
