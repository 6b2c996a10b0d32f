/** Current uses of a task: leases, which keep it from being removed, and uploads, which are counted. */
export interface Lease extends Disposable {
  release(): void;
}

export class TaskUses {
  readonly #changed: (inUse: boolean) => void;
  #leases = 0;
  #uploading = 0;

  /** @param changed called with the first lease, and when the last one has been given back. */
  constructor(changed: (inUse: boolean) => void) {
    this.#changed = changed;
  }

  get inUse(): boolean {
    return this.#leases > 0;
  }

  get uploadingCount(): number {
    return this.#uploading;
  }

  lease(): Lease {
    this.#leases += 1;
    if (this.#leases === 1) this.#changed(true);
    const release = once(() => {
      this.#leases -= 1;
      if (this.#leases === 0) this.#changed(false);
    });
    return { release, [Symbol.dispose]: release };
  }

  beginUpload(): () => void {
    this.#uploading += 1;
    return once(() => {
      this.#uploading -= 1;
    });
  }
}

function once(action: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    action();
  };
}
