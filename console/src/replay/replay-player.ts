/** Plays recorded distributions, side by side, into the models that the pictures of live ones are drawn from. */
import { SwarmModel } from '../swarm-view/swarm-model.ts';
import { RecordedSwarm, type Recording } from './recorded-swarm.ts';

export interface PlayerState {
  readonly atMs: number;
  readonly playing: boolean;
}

/** How often the model is told: particles fly for longer than that. */
const frameEveryMs = 100;

export class ReplayPlayer {
  /** One for each recording. */
  readonly models: readonly SwarmModel[];
  readonly #swarms: readonly RecordedSwarm[];
  readonly #listeners = new Set<() => void>();
  #state: PlayerState = { atMs: 0, playing: false };
  /** Milliseconds of the past in one of now. */
  #speed = 1;
  #lastMs = 0;
  #toldMs = 0;
  #frame = 0;

  constructor(recordings: readonly Recording[]) {
    this.#swarms = recordings.map((recording) => new RecordedSwarm(recording));
    this.models = recordings.map(() => new SwarmModel());
    this.#reset(0);
  }

  /** Of the longest. */
  get lengthMs(): number {
    return Math.max(...this.#swarms.map(({ lengthMs }) => lengthMs));
  }

  readonly state = (): PlayerState => this.#state;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** @param lastsMs undefined: as long as it did then. */
  setLength(lastsMs: number | undefined): void {
    this.#speed = lastsMs === undefined ? 1 : this.lengthMs / lastsMs;
  }

  /** From the beginning when it is at its end. */
  play(): void {
    if (this.#state.playing) return;
    if (this.#state.atMs >= this.lengthMs) this.seek(0);
    this.#lastMs = performance.now();
    this.#set({ playing: true });
    this.#frame = requestAnimationFrame((nowMs) => this.#tick(nowMs));
  }

  pause(): void {
    cancelAnimationFrame(this.#frame);
    if (this.#state.playing) this.#set({ playing: false });
  }

  seek(ms: number): void {
    this.#reset(ms);
    this.#toldMs = ms;
    this.#set({ atMs: ms });
  }

  #reset(ms: number): void {
    this.#swarms.forEach((swarm, index) => this.models[index]?.reset(swarm.at(Math.min(ms, swarm.lengthMs))));
  }

  #tick(nowMs: number): void {
    const atMs = Math.min(this.lengthMs, this.#state.atMs + Math.max(0, nowMs - this.#lastMs) * this.#speed);
    this.#lastMs = nowMs;
    const isOver = atMs >= this.lengthMs;
    if (isOver || atMs - this.#toldMs >= frameEveryMs * this.#speed) {
      this.#toldMs = atMs;
      this.#swarms.forEach((swarm, index) => this.models[index]?.apply(swarm.until(Math.min(atMs, swarm.lengthMs))));
    }
    this.#set({ atMs, playing: !isOver });
    if (!isOver) this.#frame = requestAnimationFrame((nextMs) => this.#tick(nextMs));
  }

  #set(state: Partial<PlayerState>): void {
    this.#state = { ...this.#state, ...state };
    for (const listener of this.#listeners) listener();
  }
}
