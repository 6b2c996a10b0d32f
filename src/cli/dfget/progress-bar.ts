/** One line on a terminal: bytes, share, rate, time left. Prints nothing when the output is not a terminal. */
import type { CommandIo } from '../../core/process/command.ts';
import { formatBytes, formatDurationMs } from '../../core/units.ts';

const redrawIntervalMs = 100;
/** The rate is averaged over the last few seconds. */
const rateWindowMs = 3000;
const maxBarColumns = 40;

export class ProgressBar implements Disposable {
  readonly #out: CommandIo['stderr'];
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #samples: { readonly atMs: number; readonly bytes: number }[] = [];
  #label: string;
  #doneBytes = 0;
  #totalBytes: number | undefined;

  constructor(out: CommandIo['stderr'], { label, visible }: { readonly label: string; readonly visible: boolean }) {
    this.#out = out;
    this.#label = label;
    if (visible && out.isTTY) this.#timer = setInterval(() => this.#draw(), redrawIntervalMs).unref();
  }

  set label(label: string) {
    this.#label = label;
  }

  /** Adds to the expected bytes; undefined when their number is unknown. */
  expect(bytes: number | undefined): void {
    if (bytes !== undefined) this.#totalBytes = (this.#totalBytes ?? 0) + bytes;
  }

  advance(bytes: number): void {
    this.#doneBytes += bytes;
  }

  [Symbol.dispose](): void {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#draw();
    this.#out.write('\n');
  }

  #draw(): void {
    const rate = this.#rate();
    const total = this.#totalBytes;
    const share = total === undefined ? undefined : total === 0 ? 1 : Math.min(1, this.#doneBytes / total);
    const left = total === undefined || rate === 0 ? undefined : ((total - this.#doneBytes) / rate) * 1000;
    const numbers = [
      share === undefined ? '' : `${Math.floor(share * 100)} %`.padStart(5),
      total === undefined ? formatBytes(this.#doneBytes) : `${formatBytes(this.#doneBytes)} / ${formatBytes(total)}`,
      `${formatBytes(rate)}/s`,
      left === undefined || left <= 0 ? '' : `${formatDurationMs(left)} left`,
    ]
      .filter((text) => text !== '')
      .join('  ');
    const columns = (this.#out.columns ?? 80) - 1;
    const room = Math.min(maxBarColumns, columns - this.#label.length - numbers.length - 4);
    const full = Math.round((share ?? 0) * room);
    const bar = room < 8 || share === undefined ? '' : `${'█'.repeat(full)}${'░'.repeat(room - full)}  `;
    this.#out.write(`\r\x1b[2K${`${this.#label}  ${bar}${numbers}`.slice(0, columns)}`);
  }

  #rate(): number {
    const now = { atMs: performance.now(), bytes: this.#doneBytes };
    this.#samples.push(now);
    while ((this.#samples[0]?.atMs ?? now.atMs) < now.atMs - rateWindowMs) this.#samples.shift();
    const first = this.#samples[0] ?? now;
    return now.atMs === first.atMs ? 0 : ((now.bytes - first.bytes) / (now.atMs - first.atMs)) * 1000;
  }
}
