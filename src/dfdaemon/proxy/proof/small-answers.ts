/**
 * Small answers that a shared cache may keep, in memory: indexes, metadata, error pages. The swarm could not bring them
 * sooner than the origin confirms that they still hold.
 */
import type { IncomingMessage } from 'node:http';
import { LRUCache } from 'lru-cache';
import { forwardedResponseHeader } from '../wire/header.ts';
import { proxyLimits } from '../limits.ts';
import { flat, refreshed, withoutCookies, type AnswerHeader } from './answer-header.ts';
import { Freshness } from './freshness.ts';
import type { FlatHeader } from './representation.ts';

export interface SmallAnswer {
  readonly freshness: Freshness;
  readonly statusCode: number;
  readonly statusMessage: string;
  readonly header: AnswerHeader;
  readonly body: Buffer;
}

export class SmallAnswers {
  /** By URL; several where an answer varies. */
  readonly #byUrl = new LRUCache<string, readonly SmallAnswer[]>({
    maxSize: proxyLimits.smallAnswersBytes,
    sizeCalculation: (answers) => answers.reduce((sum, { body }) => sum + body.length + 4096, 1),
  });

  find(url: URL, requestHeader: FlatHeader): SmallAnswer | undefined {
    return this.#byUrl.get(url.href)?.find(({ freshness }) => freshness.isFor(url, requestHeader));
  }

  /** The answer may be kept and, as far as its header tells, is small. */
  mayKeep(freshness: Freshness, message: IncomingMessage): boolean {
    const { 'content-length': length = 0, 'content-range': range } = message.headers;
    const isPart = message.statusCode === 206 || range !== undefined; // some servers answer a range with 200
    return !isPart && freshness.storable && Number(length) <= proxyLimits.smallAnswerBytes;
  }

  /** Stores the answer while it is being read, if it stays small and ends properly. */
  keep(url: URL, requestHeader: FlatHeader, message: IncomingMessage): void {
    const header = forwardedResponseHeader(message);
    const statusCode = message.statusCode ?? 502;
    const freshness = new Freshness({ url, requestHeader, statusCode, header: flat(header) });
    if (!this.mayKeep(freshness, message)) return;
    const blocks: Buffer[] = [];
    let length = 0;
    message.on('data', (block: Buffer) => {
      length += block.length;
      if (length <= proxyLimits.smallAnswerBytes) blocks.push(block);
      else blocks.length = 0;
    });
    message.once('end', () => {
      if (!message.complete || length > proxyLimits.smallAnswerBytes || message.rawTrailers.length > 0) return;
      const statusMessage = message.statusMessage ?? '';
      this.#add(url, requestHeader, {
        freshness,
        statusCode,
        statusMessage,
        header,
        body: Buffer.concat(blocks, length),
      });
    });
  }

  /** The origin said that the answer still holds. */
  refresh(url: URL, requestHeader: FlatHeader, stored: SmallAnswer, notModified: AnswerHeader): SmallAnswer {
    const header = refreshed(stored.header, notModified);
    const { statusCode } = stored;
    const answer = {
      ...stored,
      header,
      freshness: new Freshness({ url, requestHeader, statusCode, header: flat(header) }),
    };
    this.#add(url, requestHeader, answer);
    return answer;
  }

  forget(href: string): void {
    this.#byUrl.delete(href);
  }

  #add(url: URL, requestHeader: FlatHeader, told: SmallAnswer): void {
    const answer = { ...told, header: withoutCookies(told.header) };
    const others = (this.#byUrl.get(url.href) ?? []).filter(({ freshness }) => !freshness.isFor(url, requestHeader));
    this.#byUrl.set(url.href, [answer, ...others].slice(0, proxyLimits.variants));
  }
}
