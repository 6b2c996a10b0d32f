/** Bugs of the kinds that machines like the download's have had, each as one change of its code. */
export interface PlantedBug {
  readonly name: string;
  /** Below src/swarm/peer. */
  readonly file: string;
  /** Stands in the file once. */
  readonly find: string;
  readonly put: string;
}

export const plantedBugs: readonly PlantedBug[] = [
  {
    name: 'lost wake-up: a failed request leads to no other',
    file: 'download/parent-exchange.ts',
    find: 'fault: reason });\n    this.#pump(moment);',
    put: 'fault: reason });',
  },
  {
    name: 'lost wake-up: the time of the next look is forgotten',
    file: 'download/parent-exchange.ts',
    find: 'this.#wakeMs = picker.nextWakeMs(nowMs) ?? Number.POSITIVE_INFINITY;',
    put: 'this.#wakeMs = Number.POSITIVE_INFINITY;',
  },
  {
    name: 'double request: a piece that was asked for counts as open',
    file: 'piece-picker.ts',
    find: 'this.#requests.add({ parent, piece, startedAtMs: nowMs, hedgeAtMs, beside });\n    this.#open.delete(piece);',
    put: 'this.#requests.add({ parent, piece, startedAtMs: nowMs, hedgeAtMs, beside });',
  },
  {
    name: 'double request: the slower of two copies is not cancelled',
    file: 'piece-picker.ts',
    find: 'else others.push({ parentId: request.parent.id, piece, hedge: false });',
    put: '',
  },
  {
    name: 'forgotten piece: what a parent owed when it left is asked of nobody',
    file: 'piece-picker.ts',
    find: 'this.#requests.remove(request);\n    this.#reopen(request.piece);',
    put: 'this.#requests.remove(request);',
  },
  {
    name: 'forgotten piece: what a lease was to bring stays at the origin for ever',
    file: 'download/parent-exchange.ts',
    find: 'this.#picker?.originReleased();',
    put: '',
  },
  {
    name: 'stale lease: one that was revoked goes on',
    file: 'download/origin-leases.ts',
    find: 'if (!held) return;\n    this.#stop(held);',
    put: 'if (!held) return;',
  },
  {
    name: 'stale lease: another one does not take its place',
    file: 'download/origin-leases.ts',
    find: 'if (replaced) this.#stop(replaced);',
    put: '',
  },
  {
    name: 'lost lease: one that came before the layout is dropped',
    file: 'download/origin-leases.ts',
    find: 'for (const lease of early) this.take(lease, nowMs);',
    put: '',
  },
  {
    name: 'ghost parent: one that gives no sign of life is kept',
    file: 'life-watch.ts',
    find: 'silent.push(parentId);',
    put: '',
  },
  {
    name: 'ghost session: one that was lost is not opened again',
    file: 'download/session-watch.ts',
    find: 'this.dueMs = nowMs + pauseMs * (0.5 + this.#random() / 2);',
    put: '',
  },
  {
    name: 'endless patience: the scheduler is asked for ever',
    file: 'download/starvation.ts',
    find: "if (!mayAsk || this.#asked >= downloadLimits.starvedAsks) return 'give-up';",
    put: '',
  },
  {
    name: 'false heartbeat: a lease lives on without a fetch',
    file: 'download/origin-leases.ts',
    find: 'if (unresolvedUntilMs === undefined) return;\n    this.#aliveAtMs = Number.POSITIVE_INFINITY;',
    put: 'if (unresolvedUntilMs === undefined) return;',
  },
  {
    name: 'deaf machine: what parents say is not heard after the first request',
    file: 'download/parent-exchange.ts',
    find: 'if (!picker.isIdle || picker.isStarved) this.#life.expect(nowMs);\n    this.#deafUntilMs = picker.deafUntilMs(nowMs);',
    put: 'if (!picker.isIdle || picker.isStarved) this.#life.expect(nowMs);\n    this.#deafUntilMs = Number.POSITIVE_INFINITY;',
  },
  {
    name: 'lost wake-up: a request to the origin that failed is not sent again',
    file: 'download/origin-retries.ts',
    find: 'this.dueMs = Math.min(this.dueMs, failing.againAtMs);',
    put: '',
  },
  {
    name: 'forgotten reader: a session that is opened hears of one only',
    file: 'download/part-readers.ts',
    find: 'for (const reader of this.#readers.values()) this.#tell(reader);',
    put: '',
  },
  {
    name: 'endless patience: the stream of a parent is opened for ever',
    file: 'download/parent-streams.ts',
    find: 'stream.failures += 1;',
    put: '',
  },
];
