/** Live progress of several nodes: a bar per node on a terminal, otherwise a line per node and quarter. */
import type { CommandIo } from '../../core/process/command.ts';
import { formatBytes } from '../../core/units.ts';
import type { NodeProgress } from './download.ts';

const redrawIntervalMs = 100;
const barColumns = 32;

export class ProgressBoard implements Disposable {
  readonly #out: CommandIo['stderr'];
  readonly #nodes: Map<string, NodeProgress>;
  readonly #quarters = new Map<string, number>();
  readonly #startedMs = performance.now();
  readonly #timer: NodeJS.Timeout | undefined;
  #drawnLines = 0;

  constructor(out: CommandIo['stderr'], nodes: readonly string[]) {
    this.#out = out;
    this.#nodes = new Map(nodes.map((node) => [node, { node, doneBytes: 0, totalBytes: undefined }]));
    if (out.isTTY) this.#timer = setInterval(() => this.#draw(), redrawIntervalMs);
  }

  update(progress: NodeProgress): void {
    this.#nodes.set(progress.node, progress);
    if (this.#timer === undefined) this.#tell(progress);
  }

  /** Leaves the bars as they are, with the cursor below them. */
  [Symbol.dispose](): void {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#draw();
  }

  #tell({ node, doneBytes, totalBytes }: NodeProgress): void {
    if (totalBytes === undefined) return;
    const quarter = totalBytes === 0 ? 4 : Math.floor((4 * doneBytes) / totalBytes);
    if (quarter <= (this.#quarters.get(node) ?? 0)) return;
    this.#quarters.set(node, quarter);
    this.#out.write(`${node}  ${quarter * 25} %  ${formatBytes(doneBytes)}  ${this.#elapsed()}\n`);
  }

  #draw(): void {
    const width = Math.max(...[...this.#nodes.keys()].map((name) => name.length));
    const lines = [...this.#nodes.values()].map(({ node, doneBytes, totalBytes }) => {
      const share = totalBytes === undefined ? 0 : totalBytes === 0 ? 1 : Math.min(1, doneBytes / totalBytes);
      const full = Math.round(share * barColumns);
      const bar = '█'.repeat(full) + '░'.repeat(barColumns - full);
      return `\x1b[2K${node.padEnd(width)}  ${bar}  ${`${Math.floor(share * 100)} %`.padStart(5)}  ${formatBytes(doneBytes)}`;
    });
    const up = this.#drawnLines === 0 ? '' : `\x1b[${this.#drawnLines}A`;
    this.#out.write(`${up}${lines.join('\n')}\n`);
    this.#drawnLines = lines.length;
  }

  #elapsed(): string {
    return `${((performance.now() - this.#startedMs) / 1000).toFixed(1)} s`;
  }
}
