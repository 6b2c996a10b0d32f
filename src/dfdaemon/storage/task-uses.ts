/** Current uses of a task: leases, which keep it from being removed, and uploads, which are counted. */
export interface Lease extends Disposable {
  release(): void;
}

export class TaskUses {
  readonly #released: () => void;
  #leases = 0;
  #uploading = 0;

  /** @param released called when the last lease has been given back. */
  constructor(released: () => void) {
    this.#released = released;
  }

  get inUse(): boolean {
    return this.#leases > 0;
  }

  get uploadingCount(): number {
    return this.#uploading;
  }

  lease(): Lease {
    this.#leases += 1;
    const release = once(() => {
      this.#leases -= 1;
      if (this.#leases === 0) this.#released();
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
