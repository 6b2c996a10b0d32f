/** What the scheduler passes on about a task that plays no part in its decisions. */
import { isSecretHeader } from '../core/redact.ts';
import type { Download } from '../rpc/generated/common/v2/common.ts';
import type { TaskMetadata } from '../rpc/generated/scheduler/v2/scheduler.ts';
import { maxResponseHeaderLength } from './limits.ts';

export interface TaskFacts {
  /** The registration that brought the task here, without what only its sender may use. */
  readonly download: Download;
  /** Steady clock. */
  readonly createdAtMs: number;
  /** Of the origin's answer; empty while nobody has told. */
  responseHeader: Readonly<Record<string, string>>;
  rangesSupported: boolean | undefined;
}

export class TaskFactsTable {
  readonly #facts = new Map<string, TaskFacts>();

  get(taskId: string): TaskFacts | undefined {
    return this.#facts.get(taskId);
  }

  /** Keeps what is known when the task is known already. */
  remember(taskId: string, download: Download): TaskFacts {
    const known = this.#facts.get(taskId);
    if (known) return known;
    const facts: TaskFacts = {
      download: withoutSecrets(download),
      createdAtMs: performance.now(),
      responseHeader: {},
      rangesSupported: undefined,
    };
    this.#facts.set(taskId, facts);
    return facts;
  }

  /** The first answer of the origin stays; later ones are of the same content. */
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
  }

  keepOnly(isKnown: (taskId: string) => boolean): void {
    for (const taskId of this.#facts.keys()) if (!isKnown(taskId)) this.#facts.delete(taskId);
  }
}

/** For records and answers to others: keys to the origin are used for the seed's download and then forgotten. */
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
