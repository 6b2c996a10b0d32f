/** The state of every node: as schedulers report it, and as they last reported it before they forgot it. No I/O. */
import { goneNodeKeptMs, maxGoneNodes, maxNodeLog } from '../limits.ts';
import { isGone, nodeKey, type Node, type NodeLogEntry } from './node.ts';

export interface NodeRecord {
  readonly node: Node;
  /** Newest first. */
  readonly log: readonly NodeLogEntry[];
}

export class NodeRecords {
  readonly #records = new Map<string, NodeRecord>();
  /** Keys of changes that must survive a restart and are not written yet. */
  readonly #unwritten = new Set<string>();

  all(): IterableIterator<NodeRecord> {
    return this.#records.values();
  }

  get(key: string): NodeRecord | undefined {
    return this.#records.get(key);
  }

  /** Restores a node from the database. Reports since then take precedence. */
  restore(record: NodeRecord): void {
    const key = nodeKey(record.node);
    if (!this.#records.has(key)) this.#records.set(key, record);
  }

  /** @returns whether anything has changed. */
  seen(node: Node): boolean {
    const key = nodeKey(node);
    const known = this.#records.get(key);
    // A node that is back moments after a restart of its scheduler was not away.
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

  /** No scheduler knows the node any more, although one should. */
  vanished(key: string): Node | undefined {
    const known = this.#records.get(key);
    if (!known || isGone(known.node)) return undefined;
    const { node } = known;
    const lost: Node = { ...node, state: 'lost', reason: 'vanished', since_ms: node.last_word_ms, uploads_running: 0 };
    this.#set(key, lost, known);
    return lost;
  }

  /** No scheduler can report: the state is as last reported, until now. */
  lastWord(key: string, atMs: number): void {
    const known = this.#records.get(key);
    if (known?.node.state !== 'online' || known.node.last_word_ms >= atMs) return;
    this.#records.set(key, { ...known, node: { ...known.node, last_word_ms: atMs } });
  }

  /** Forgets nodes that are gone for more than a day, not among the last to go, or of a deleted cluster. @returns them. */
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

  /** Their write has failed, so they have to be written again. */
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

/** The part of a record that is not measured anew after a start. */
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
