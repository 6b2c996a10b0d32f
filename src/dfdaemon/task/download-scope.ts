/** What the parts of one download share: the request, the stored content, and the machine that decides. */
import type { StoredTask } from '../storage/stored-task.ts';
import type { DownloadContext } from './download-context.ts';
import { MachineRunner, type EffectRunner } from './machine-runner.ts';
import type { DownloadRequest } from './open-task.ts';
import { ReceiptBuilder } from './receipt-builder.ts';
import type { SchedulerSession } from './session/scheduler-session.ts';
import type { TaskRate } from './traffic-shaper.ts';

export class DownloadScope {
  readonly context: DownloadContext;
  readonly request: DownloadRequest;
  readonly stored: StoredTask;
  readonly peerId: string;
  readonly rate: TaskRate;
  readonly receipt: ReceiptBuilder;
  readonly machine: MachineRunner;
  /** Aborts when the download ends. */
  readonly signal: AbortSignal;
  /** The session with the scheduler; undefined between two. */
  session: SchedulerSession | undefined;
  readonly #controller = new AbortController();
  #change = Promise.withResolvers<void>();

  /** @param runner carries out the machine's effects. */
  constructor(
    context: DownloadContext,
    about: { readonly request: DownloadRequest; readonly stored: StoredTask; readonly peerId: string },
    runner: EffectRunner,
  ) {
    const { request, stored, peerId } = about;
    this.context = context;
    this.request = request;
    this.stored = stored;
    this.peerId = peerId;
    this.rate = context.shaper.open(request.rateLimit);
    this.receipt = new ReceiptBuilder({ taskId: stored.id, peerId, url: request.url });
    this.receipt.local(stored.bytes);
    this.signal = this.#controller.signal;
    this.machine = new MachineRunner(context, { taskId: stored.id, peerId, request }, runner);
  }

  /** Resolves when the next bytes, piece, layout or end arrive. */
  get changed(): Promise<void> {
    return this.#change.promise;
  }

  /** There is more to read, or the download has ended. */
  signalChange(): void {
    const change = this.#change;
    this.#change = Promise.withResolvers();
    change.resolve();
  }

  /** Ends every wait of the download. */
  abort(reason: Error): void {
    this.#controller.abort(reason);
  }
}
