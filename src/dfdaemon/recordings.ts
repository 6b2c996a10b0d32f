/**
 * Records the newest downloads, event by event, in files that `dragonfly simulate --replay` plays: for a failure that
 * happens on one machine only.
 */
import { randomInt } from 'node:crypto';
import { appendFile, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { toDragonflyError } from '../core/errors.ts';
import type { Closable } from '../core/process/lifecycle.ts';
import type { Logger } from '../core/process/logger.ts';
import { defaultPickerLimits, type PickerLimits } from '../swarm/peer/picker-limits.ts';
import type { PeerEffect } from '../swarm/peer/download/effects.ts';
import type { Moment, PeerEvent } from '../swarm/peer/download/events.ts';
import type { DownloadRules } from '../swarm/peer/download/download-rules.ts';
import type { PeerMachine } from '../swarm/peer/download/peer-machine.ts';
import { recordedMachine, startLine, stepLine } from '../swarm/peer/download/recording.ts';

/** The largest size of a recording; when a download loops, its beginning is the most useful part. */
const maxFileBytes = 16 * 2 ** 20;
/** Lines are written in batches of this many characters. */
const batchChars = 64 * 2 ** 10;

/** One download that is being recorded. */
export interface DownloadRecording {
  readonly machine: PeerMachine;
  step(moment: Moment, event: PeerEvent, effects: readonly PeerEffect[]): void;
  close(): void;
}

export interface MachineSetup extends DownloadRules {
  readonly taskId: string;
  readonly peerId: string;
  readonly limits: Partial<PickerLimits>;
  readonly settleMs: number;
}

export class Recordings implements Closable {
  readonly #directory: string;
  readonly #kept: number;
  readonly #logger: Logger;
  #work: Promise<void> = Promise.resolve();

  /** @param kept number of the newest recordings that stay on disk. */
  constructor(directory: string, kept: number, logger: Logger) {
    this.#directory = directory;
    this.#kept = kept;
    this.#logger = logger;
  }

  /** Begins a recording, with the set-up of the machine that it records. */
  open(setup: MachineSetup): DownloadRecording {
    const start = { ...setup, limits: { ...defaultPickerLimits, ...setup.limits }, seed: randomInt(2 ** 31) };
    const file = join(this.#directory, `${new Date().toISOString().replaceAll(':', '')}-${setup.peerId}.jsonl`);
    let batch = startLine(start);
    let writtenChars = batch.length;
    const flush = (): void => {
      const text = batch;
      batch = '';
      if (text !== '') this.#do(() => appendFile(file, text, { mode: 0o600 }));
    };
    this.#do(() => this.#makePlace());
    return {
      machine: recordedMachine(start),
      step(moment, event, effects) {
        if (writtenChars >= maxFileBytes) return;
        const line = stepLine(moment, event, effects);
        writtenChars += line.length;
        batch += line;
        if (batch.length >= batchChars) flush();
      },
      close: flush,
    };
  }

  /** Resolves when everything recorded so far is in the files. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#work;
  }

  async #makePlace(): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const names = (await readdir(this.#directory)).filter((name) => name.endsWith('.jsonl')).sort();
    for (const name of names.slice(0, Math.max(0, names.length - this.#kept + 1)))
      await rm(join(this.#directory, name), { force: true });
  }

  #do(step: () => Promise<void>): void {
    this.#work = this.#work.then(step).catch((error: unknown) => {
      this.#logger.warn(
        { directory: this.#directory, error: toDragonflyError(error).message },
        'a download was not recorded',
      );
    });
  }
}
