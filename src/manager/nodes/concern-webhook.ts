/**
 * Notifies the operator's addresses of new and resolved concerns. Sent notices are recorded in the database, so that
 * neither a restart nor another replica repeats them. An address that was unreachable gets the current state when it
 * answers.
 */
import { createHmac } from 'node:crypto';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import type { Closable } from '../../core/process/lifecycle.ts';
import type { Logger } from '../../core/process/logger.ts';
import { backOffMs } from '../../rpc/back-off.ts';
import type { ManagerConfig } from '../config.ts';
import { parseJson } from '../clusters/types.ts';
import type { Database } from '../db/database.ts';
import { acquireLease } from '../db/leases.ts';
import {
  concernsPerNotice,
  noticeGraceMs,
  noticeLeaseMs,
  noticeQuietMs,
  noticeTickMs,
  noticeTimeoutMs,
  sharesPerStatement,
} from '../limits.ts';
import type { ConcernDesk } from './concern-desk.ts';
import type { Concern } from './concerns.ts';

type Webhook = ManagerConfig['concerns']['webhooks'][number];

export interface ConcernWebhookOptions {
  readonly database: Database;
  readonly concerns: ConcernDesk;
  readonly webhooks: readonly Webhook[];
  readonly logger: Logger;
  /** Name of this replica. */
  readonly owner: string;
}

interface Notice {
  readonly raised: readonly Concern[];
  readonly cleared: readonly Concern[];
}

const leaseName = 'notices';

export class ConcernWebhook implements Closable {
  readonly #options: ConcernWebhookOptions;
  readonly #stop = new AbortController();
  readonly #startedAtMs = performance.now();
  #timer: NodeJS.Timeout | undefined;
  #ticking: Promise<void> | undefined;
  #isClosing = false;
  /** Consecutive failures per address, and when it is tried again. */
  readonly #trouble = new Map<string, { failures: number; againAtMs: number }>();

  constructor(options: ConcernWebhookOptions) {
    this.#options = options;
  }

  /** Does nothing without addresses. */
  start(): void {
    if (this.#options.webhooks.length === 0) return;
    this.#timer = setInterval(() => this.#tick(), noticeTickMs);
    this.#timer.unref();
  }

  /** Waits briefly for a notice that is being sent; otherwise it would be sent again. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosing = true;
    clearInterval(this.#timer);
    const late = setTimeout(() => this.#stop.abort(), noticeGraceMs);
    await this.#ticking;
    clearTimeout(late);
  }

  #tick(): void {
    this.#ticking ??= this.#tickOnce().finally(() => (this.#ticking = undefined));
  }

  async #tickOnce(): Promise<void> {
    const { database, owner, webhooks, logger } = this.#options;
    try {
      if (!(await acquireLease(database, leaseName, owner, noticeLeaseMs))) return;
      for (const webhook of webhooks) await this.#bringUpToDate(webhook);
    } catch (error) {
      if (!this.#stop.signal.aborted)
        logger.warn({ error: toDragonflyError(error).message }, 'concerns could not be told');
    }
  }

  async #bringUpToDate(webhook: Webhook): Promise<void> {
    const { url } = webhook;
    if (this.#isClosing) return;
    const trouble = this.#trouble.get(url);
    if (trouble && performance.now() < trouble.againAtMs) return;
    const notice = this.#newsFor(webhook, await this.#toldTo(url));
    if (notice.raised.length + notice.cleared.length === 0) return;
    try {
      await post(webhook, notice, this.#stop.signal);
      this.#trouble.delete(url);
    } catch (error) {
      const failures = (trouble?.failures ?? 0) + 1;
      this.#trouble.set(url, { failures, againAtMs: performance.now() + backOffMs(failures) });
      throw error;
    }
    await this.#remember(url, notice);
  }

  #newsFor(webhook: Webhook, told: ReadonlyMap<string, Concern>): Notice {
    const wanted = this.#options.concerns.list.filter(
      ({ severity, acknowledged_by: by }) => by === '' && (webhook.severity === 'warning' || severity === 'error'),
    );
    const there = new Set(this.#options.concerns.list.map(({ id }) => id));
    // Schedulers need some time to report everything: a concern is not over because it was not reported yet.
    const isSettled = performance.now() - this.#startedAtMs > noticeQuietMs;
    return {
      raised: wanted.filter(({ id }) => !told.has(id)).slice(0, concernsPerNotice),
      cleared: isSettled ? [...told.values()].filter(({ id }) => !there.has(id)).slice(0, concernsPerNotice) : [],
    };
  }

  async #toldTo(url: string): Promise<ReadonlyMap<string, Concern>> {
    const rows = await this.#options.database.db.selectFrom('notice').select('record').where('url', '=', url).execute();
    const concerns = rows.flatMap(({ record }) => parseJson<Concern | undefined>(record, undefined) ?? []);
    return new Map(concerns.map((concern) => [concern.id, concern]));
  }

  async #remember(url: string, { raised, cleared }: Notice): Promise<void> {
    const now = Date.now();
    await this.#options.database.transaction(async (db) => {
      const over = cleared.map(({ id }) => id);
      if (over.length > 0) await db.deleteFrom('notice').where('url', '=', url).where('concern', 'in', over).execute();
      for (let start = 0; start < raised.length; start += sharesPerStatement) {
        const rows = raised.slice(start, start + sharesPerStatement).map((concern) => ({
          url,
          concern: concern.id,
          record: JSON.stringify(concern),
          created_at: now,
          updated_at: now,
        }));
        await db.insertInto('notice').values(rows).execute();
      }
    });
  }
}

/** `text` is shown by chats; the rest is for programs. */
async function post({ url, secret }: Webhook, { raised, cleared }: Notice, signal: AbortSignal): Promise<void> {
  const body = JSON.stringify({
    text: [...raised.map(raisedText), ...cleared.map(({ name, detail }) => `Over: ${name}: ${detail}`)].join('\n'),
    raised,
    cleared,
  });
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  if (secret !== undefined)
    headers['x-dragonfly-signature'] = `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
  const response = await fetch(url, {
    method: 'POST',
    headers,
    body,
    redirect: 'error',
    signal: AbortSignal.any([signal, AbortSignal.timeout(noticeTimeoutMs)]),
  });
  await response.body?.cancel();
  if (response.ok) return;
  throw new DragonflyError('UNAVAILABLE', `${new URL(url).host} answers ${response.status} to a notice of concerns`);
}

function raisedText({ severity, name, detail, advice }: Concern): string {
  return `${severity === 'error' ? 'Error' : 'Warning'}: ${name}: ${detail}. ${advice}`;
}
