/**
 * Makes an origin on this machine a distant one: a TCP relay in a thread of its own through which every byte comes some
 * milliseconds late, each way, and whose connections share one rate per direction. A new connection waits one more round
 * trip, as a handshake does.
 */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

export interface DistantLinkOptions {
  /** `host:port` behind the link. */
  readonly target: string;
  readonly roundTripMs: number;
  readonly bytesPerSec: number;
}

export class DistantLink implements AsyncDisposable {
  readonly url: string;
  readonly #worker: Worker;

  static async open(options: DistantLinkOptions): Promise<DistantLink> {
    const worker = new Worker(new URL(import.meta.url), { workerData: { distantLink: options } });
    const [port] = (await once(worker, 'message')) as [number];
    return new DistantLink(worker, `http://127.0.0.1:${port}`);
  }

  private constructor(worker: Worker, url: string) {
    this.#worker = worker;
    this.url = url;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }
}

/** One direction of the link: a line that is busy until a point in time. */
class Line {
  readonly #bytesPerSec: number;
  readonly #lateMs: number;
  #freeMs = 0;

  constructor({ bytesPerSec, roundTripMs }: DistantLinkOptions) {
    this.#bytesPerSec = bytesPerSec;
    this.#lateMs = roundTripMs / 2;
  }

  /** When the last byte of a block given to the line now comes out. */
  arrivalMs(bytes: number): number {
    this.#freeMs = Math.max(this.#freeMs, performance.now()) + (bytes / this.#bytesPerSec) * 1000;
    return this.#freeMs + this.#lateMs;
  }
}

/** More on its way than the line holds is left in the sender's socket. */
const maxQueuedBlocks = 256;

function pass(from: Socket, to: Socket, line: Line): void {
  let queued = 0;
  let last = Promise.resolve();
  const later = (bytes: number, arrive: () => void): void => {
    const arrivalMs = line.arrivalMs(bytes);
    last = last.then(async () => {
      const waitMs = arrivalMs - performance.now();
      if (waitMs >= 1) await delay(waitMs);
      arrive();
    });
  };
  from.on('data', (block) => {
    queued += 1;
    if (queued >= maxQueuedBlocks) from.pause();
    later(block.length, () => {
      queued -= 1;
      if (!to.destroyed) to.write(block);
      from.resume();
    });
  });
  from.on('end', () => later(0, () => to.end()));
  from.on('error', () => to.destroy());
  from.on('close', () => later(0, () => to.destroySoon()));
}

function relay(options: DistantLinkOptions): void {
  const [up, down] = [new Line(options), new Line(options)];
  const [host = '', port = ''] = options.target.split(':');
  const server = createServer({ noDelay: true, pauseOnConnect: true }, (near) => {
    near.on('error', () => undefined);
    void delay(options.roundTripMs).then(() => {
      const far = connect({ host, port: Number(port), noDelay: true });
      pass(near, far, up);
      pass(far, near, down);
      near.resume();
    });
  });
  server.listen(0, '127.0.0.1', () => parentPort?.postMessage((server.address() as AddressInfo).port));
}

const mine = (workerData as { distantLink?: DistantLinkOptions } | null)?.distantLink;
if (!isMainThread && mine) relay(mine);
