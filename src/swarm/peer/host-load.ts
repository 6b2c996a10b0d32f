/** A host's last announced number of uploads, running and waiting. Written once, read by every download that has the host as a parent. */
export class HostLoad {
  #uploads = 0;
  #drops = 0;

  get uploads(): number {
    return this.#uploads;
  }

  /** How many times the host has announced a lower load, or none: refusals from before the last time are out of date. */
  get drops(): number {
    return this.#drops;
  }

  says(uploads: number): void {
    if (uploads < this.#uploads || uploads === 0) this.#drops += 1;
    this.#uploads = uploads;
  }
}
