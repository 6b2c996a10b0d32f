/** What became of every node: what schedulers say now, and what they said before they forgot it. No I/O. */
import { goneNodeKeptMs, maxGoneNodes, maxNodeLog } from '../limits.ts';
import { isGone, nodeKey, type Node, type NodeLogEntry } from './node.ts';

export interface NodeRecord {
  readonly node: Node;
  /** Newest first. */
  readonly log: readonly NodeLogEntry[];
}

export class NodeRecords {
  readonly #records = new Map<string, NodeRecord>();
  /** Keys of what a restart must not forget and is not written yet. */
  readonly #unwritten = new Set<string>();

  all(): IterableIterator<NodeRecord> {
    return this.#records.values();
  }

  get(key: string): NodeRecord | undefined {
    return this.#records.get(key);
  }

  /** From the database. What schedulers have said since counts more. */
  restore(record: NodeRecord): void {
    const key = nodeKey(record.node);
    if (!this.#records.has(key)) this.#records.set(key, record);
  }

  /** @returns whether anything is different from before. */
  seen(node: Node): boolean {
    const key = nodeKey(node);
    const known = this.#records.get(key);
    // Back within moments of a restart of its scheduler, it has not been away.
    const stays = known?.node.state === 'online' && node.state === 'online';
    const next = stays
      ? {
          ...node,
          since_ms: Math.min(node.since_ms, known.node.since_ms),
          joined_at_ms: Math.min(node.joined_at_ms, known.node.joined_at_ms),
        }
      : node;
    if (known && JSON.stringify(known.node) === JSON.stringify(next)) return false;
    this.#set(key, next, known);
    return true;
  }

  /** No scheduler knows it any more, though one should. */
  vanished(key: string): Node | undefined {
    const known = this.#records.get(key);
    if (!known || isGone(known.node)) return undefined;
    const { node } = known;
    const lost: Node = { ...node, state: 'lost', reason: 'vanished', since_ms: node.last_word_ms, uploads_running: 0 };
    this.#set(key, lost, known);
    return lost;
  }

  /** Nobody who could tell is there: until now it was as it was said. */
  lastWord(key: string, atMs: number): void {
    const known = this.#records.get(key);
    if (known?.node.state !== 'online' || known.node.last_word_ms >= atMs) return;
    this.#records.set(key, { ...known, node: { ...known.node, last_word_ms: atMs } });
  }

  /** Forgets who is gone for longer than a day, or not among the last to go, or of a cluster that is no more. @returns them. */
  forget(nowMs: number, isCluster: (id: number) => boolean): Node[] {
    const gone = Array.from(this.#records.values(), ({ node }) => node)
      .filter(isGone)
      .sort((one, other) => other.since_ms - one.since_ms);
    const orphans = Array.from(this.#records.values(), ({ node }) => node).filter(
      (node) => !isCluster(node.scheduler_cluster_id),
    );
    const forgotten = [
      ...gone.filter((node, index) => index >= maxGoneNodes || nowMs - node.since_ms > goneNodeKeptMs),
      ...orphans,
    ];
    for (const node of forgotten) {
      this.#records.delete(nodeKey(node));
      this.#unwritten.delete(nodeKey(node));
    }
    return forgotten;
  }

  takeUnwritten(): NodeRecord[] {
    const records = [...this.#unwritten].flatMap((key) => this.#records.get(key) ?? []);
    this.#unwritten.clear();
    return records;
  }

  /** They could not be written after all. */
  putBack(records: readonly NodeRecord[]): void {
    for (const { node } of records) this.#unwritten.add(nodeKey(node));
  }

  #set(key: string, node: Node, known: NodeRecord | undefined): void {
    const before = known?.node;
    const entry = { state: node.state, reason: node.reason, at_ms: node.since_ms };
    const log = before && before.state === node.state ? known.log : [entry, ...(known?.log ?? [])].slice(0, maxNodeLog);
    this.#records.set(key, { node, log });
    if (before === undefined || lasting(before) !== lasting(node)) this.#unwritten.add(key);
  }
}

/** Figures come anew with every start; this does not. */
function lasting({
  state,
  since_ms,
  joined_at_ms,
  host_name,
  ip,
  port,
  type,
  version,
  unreachable,
  struck_off_until_ms,
}: Node): string {
  return JSON.stringify([
    state,
    since_ms,
    joined_at_ms,
    host_name,
    ip,
    port,
    type,
    version,
    unreachable,
    struck_off_until_ms,
  ]);
}
