/**
 * Server-sent events with a reconnect of our own: EventSource gives up for good on an HTTP error (a manager behind a load
 * balancer that restarts), and never notices a connection that died in silence.
 */
export type LiveState = 'off' | 'connecting' | 'live';

/** Between two attempts, doubled with each that fails. */
const minDelayMs = 500;
const maxDelayMs = 15_000;

type Handlers<Events> = { [Name in keyof Events]?: Set<(data: Events[Name]) => void> };

export class EventStream<Events extends object> {
  readonly #url: URL;
  readonly #onState: (state: LiveState) => void;
  readonly #handlers: Handlers<Events> = {};
  #source: EventSource | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #delayMs = minDelayMs;

  constructor(url: URL, onState: (state: LiveState) => void) {
    this.#url = url;
    this.#onState = onState;
    document.addEventListener('visibilitychange', this.#onVisibility);
    this.#open();
  }

  /** Returns how to stop listening. */
  on<Name extends keyof Events & string>(name: Name, handler: (data: Events[Name]) => void): () => void {
    let handlers = this.#handlers[name];
    if (!handlers) {
      handlers = new Set();
      this.#handlers[name] = handlers;
      this.#listen(name);
    }
    handlers.add(handler);
    return () => handlers.delete(handler);
  }

  close(): void {
    document.removeEventListener('visibilitychange', this.#onVisibility);
    this.#pause();
    this.#onState('off');
  }

  /** Browsers allow few connections per host: pages nobody looks at give theirs back. */
  readonly #onVisibility = (): void => {
    this.#pause();
    if (document.visibilityState === 'visible') this.#open();
  };

  #pause(): void {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = undefined;
  }

  #open(): void {
    this.#onState('connecting');
    const source = new EventSource(this.#url);
    this.#source = source;
    source.addEventListener('open', () => {
      this.#delayMs = minDelayMs;
      this.#onState('live');
    });
    source.addEventListener('error', () => {
      source.close();
      if (this.#source !== source) return;
      this.#onState('connecting');
      // Spread out, so that the pages of a whole company do not come back in the same instant.
      this.#timer = setTimeout(() => this.#open(), this.#delayMs * (0.5 + Math.random()));
      this.#delayMs = Math.min(this.#delayMs * 2, maxDelayMs);
    });
    for (const name of Object.keys(this.#handlers)) this.#listen(name as keyof Events & string);
  }

  #listen(name: keyof Events & string): void {
    this.#source?.addEventListener(name, (event: MessageEvent<string>) => {
      const data = JSON.parse(event.data) as Events[typeof name];
      for (const handler of this.#handlers[name] ?? []) handler(data);
    });
  }
}
