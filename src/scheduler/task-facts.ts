/** What the scheduler passes on about a task without using it in decisions. */
import { DragonflyError } from '../core/errors.ts';
import { isSecretHeader } from '../core/redact.ts';
import { Download as DownloadMessage, type Download } from '../../gen/common/v2/common.ts';
import type { TaskMetadata } from '../../gen/scheduler/v2/scheduler.ts';
import { callerShare, costPerByte, maxResponseHeaderLength, peerCostBytes, taskCostBytes } from './limits.ts';

export interface FactsBudget {
  /** The estimated memory for everything known of tasks and peers. */
  readonly totalBytes: number;
  /** Peers there are now. */
  readonly peers: () => number;
  /** The peers of hosts that were announced from this address. Called when more is known than one caller may bring. */
  readonly peersFrom: (address: string) => number;
}

export interface TaskFacts {
  /** The registration that introduced the task, without what only its sender may use. */
  download: Download;
  /** Steady clock. */
  readonly createdAtMs: number;
  /** The header of the origin's response; empty until it is reported. */
  responseHeader: Readonly<Record<string, string>>;
  rangesSupported: boolean | undefined;
  /** Who introduced the task, and the memory it takes. */
  caller: string;
  bytes: number;
}

export class TaskFactsTable {
  readonly #facts = new Map<string, TaskFacts>();
  readonly #budget: FactsBudget;
  readonly #bytesOf = new Map<string, number>();
  #bytes = 0;

  constructor(budget: FactsBudget) {
    this.#budget = budget;
  }

  get(taskId: string): TaskFacts | undefined {
    return this.#facts.get(taskId);
  }

  /**
   * Checks that there is room for the task. Throws RESOURCE_EXHAUSTED when everything known takes too much, or what
   * this caller alone has brought. Returns a function that remembers the task, to be called once the swarm has accepted
   * it. @param caller address.
   */
  admit(taskId: string, download: Download, caller: string): () => void {
    const { totalBytes, peers, peersFrom } = this.#budget;
    const left = totalBytes - this.#bytes - peers() * peerCostBytes;
    if (left < peerCostBytes) throw exhausted(`this scheduler knows ${this.#facts.size} tasks and ${peers()} peers`);
    const share = totalBytes * callerShare;
    const ofPeers = totalBytes - left < share ? 0 : peersFrom(caller) * peerCostBytes;
    const mayBring = share - (this.#bytesOf.get(caller) ?? 0) - ofPeers;
    if (mayBring < peerCostBytes) throw exhausted(`${caller} has announced as much as it may`);
    const known = this.#facts.get(taskId);
    if (known) {
      const { bundle } = download;
      if (!bundle || known.download.bundle) return () => undefined;
      // A host that holds the task has introduced it without the list: whoever brings that answers for the task from now on.
      const more = costPerByte * bundle.length;
      const others = known.caller === caller ? 0 : known.bytes;
      if (more > left || more + others > mayBring) throw exhausted(`${caller} has announced as much as it may`);
      return () => this.#complete(known, bundle, { caller, bytes: more });
    }
    const kept = withoutSecrets(download);
    const bytes = taskCostBytes + costPerByte * DownloadMessage.encode(kept).finish().length;
    if (bytes > left || bytes > mayBring) throw exhausted(`${caller} has announced as much as it may`);
    return () => this.#remember(taskId, kept, { caller, bytes });
  }

  /** The origin's first answer stays, because later ones are about the same content. */
  setMetadata(taskId: string, metadata: TaskMetadata): void {
    const facts = this.#facts.get(taskId);
    if (!facts) return;
    this.setResponseHeader(taskId, metadata.responseHeader);
    facts.rangesSupported ??= metadata.rangesSupported;
  }

  setResponseHeader(taskId: string, header: Readonly<Record<string, string>>): void {
    const facts = this.#facts.get(taskId);
    if (!facts || Object.keys(facts.responseHeader).length > 0 || lengthOf(header) > maxResponseHeaderLength) return;
    facts.responseHeader = Object.fromEntries(
      Object.entries(header).map(([name, value]) => [name.toLowerCase(), value] as const),
    );
    this.#count(facts, costPerByte * lengthOf(header));
  }

  keepOnly(isKnown: (taskId: string) => boolean): void {
    for (const [taskId, facts] of this.#facts) {
      if (isKnown(taskId)) continue;
      this.#facts.delete(taskId);
      this.#count(facts, -facts.bytes);
    }
  }

  #remember(taskId: string, download: Download, { caller, bytes }: Pick<TaskFacts, 'caller' | 'bytes'>): void {
    const facts: TaskFacts = {
      caller,
      bytes: 0,
      download,
      createdAtMs: performance.now(),
      responseHeader: {},
      rangesSupported: undefined,
    };
    this.#facts.set(taskId, facts);
    this.#count(facts, bytes);
  }

  #complete(facts: TaskFacts, bundle: Uint8Array, { caller, bytes }: Pick<TaskFacts, 'caller' | 'bytes'>): void {
    if (facts.download.bundle) return;
    const all = facts.bytes + bytes;
    this.#count(facts, -facts.bytes);
    facts.caller = caller;
    facts.download = { ...facts.download, bundle };
    this.#count(facts, all);
  }

  #count(facts: TaskFacts, bytes: number): void {
    facts.bytes += bytes;
    this.#bytes += bytes;
    const ofCaller = (this.#bytesOf.get(facts.caller) ?? 0) + bytes;
    if (ofCaller > 0) this.#bytesOf.set(facts.caller, ofCaller);
    else this.#bytesOf.delete(facts.caller);
  }
}

function exhausted(message: string): DragonflyError {
  return new DragonflyError('RESOURCE_EXHAUSTED', message, {
    hint: 'Raise scheduler.stateMemory, with --max-old-space-size of the process, or run more schedulers.',
  });
}

/** For records and for answers to others: credentials for the origin are used for the seed's download and then forgotten. */
function withoutSecrets(download: Download): Download {
  return {
    ...download,
    requestHeader: Object.fromEntries(Object.entries(download.requestHeader).filter(([name]) => !isSecretHeader(name))),
    objectStorage: undefined,
    hdfs: undefined,
    huggingFace: download.huggingFace && { ...download.huggingFace, token: undefined },
    modelScope: download.modelScope && { ...download.modelScope, token: undefined },
    openCsg: download.openCsg && { ...download.openCsg, token: undefined },
    certificateChain: [],
  };
}

function lengthOf(header: Readonly<Record<string, string>>): number {
  return Object.entries(header).reduce((sum, [name, value]) => sum + name.length + value.length, 0);
}
