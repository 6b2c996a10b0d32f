/** Current uses of a task: pins, which keep it from being removed, and uploads, which are counted. */
export interface TaskPin extends Disposable {
  release(): void;
}

export class TaskUses {
  readonly #changed: (inUse: boolean) => void;
  #pins = 0;
  #uploading = 0;

  /** @param changed called when the first pin is taken and when the last one is released. */
  constructor(changed: (inUse: boolean) => void) {
    this.#changed = changed;
  }

  get inUse(): boolean {
    return this.#pins > 0;
  }

  get uploadingCount(): number {
    return this.#uploading;
  }

  pin(): TaskPin {
    this.#pins += 1;
    if (this.#pins === 1) this.#changed(true);
    const release = once(() => {
      this.#pins -= 1;
      if (this.#pins === 0) this.#changed(false);
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
