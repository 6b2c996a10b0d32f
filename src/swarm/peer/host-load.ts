/** What a host last said about its uploads, running and waiting. Written once, read by every download that has it as a parent. */
export class HostLoad {
  #uploads = 0;
  #drops = 0;

  get uploads(): number {
    return this.#uploads;
  }

  /** How often it has said that there is less to do, or nothing: a refusal from before the last time is out of date. */
  get drops(): number {
    return this.#drops;
  }

  says(uploads: number): void {
    if (uploads < this.#uploads || uploads === 0) this.#drops += 1;
    this.#uploads = uploads;
  }
}
