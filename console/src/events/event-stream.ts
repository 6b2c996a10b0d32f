/**
 * Server-sent events with a reconnect of our own: EventSource gives up for good on an HTTP error (a manager behind a load
 * balancer that restarts), and never notices a connection that died in silence.
 */
export type LiveState = 'off' | 'connecting' | 'live';

/** Between two attempts, doubled with each that fails. */
const minDelayMs = 500;
const maxDelayMs = 15_000;
/** The manager says that it lives every 15 s: after this long in silence the connection is dead, whatever it seems. */
const silenceMs = 45_000;

type Handlers<Events> = { [Name in keyof Events]?: Set<(data: Events[Name]) => void> };

export class EventStream<Events extends object> {
  readonly #url: URL;
  readonly #onState: (state: LiveState) => void;
  readonly #handlers: Handlers<Events> = {};
  #source: EventSource | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #delayMs = minDelayMs;
  #silence: ReturnType<typeof setTimeout> | undefined;

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
    clearTimeout(this.#silence);
    this.#source?.close();
    this.#source = undefined;
  }

  #open(): void {
    this.#onState('connecting');
    const source = new EventSource(this.#url);
    this.#source = source;
    this.#heard(source);
    source.addEventListener('open', () => {
      this.#delayMs = minDelayMs;
      this.#heard(source);
      this.#onState('live');
    });
    source.addEventListener('error', () => this.#lost(source));
    source.addEventListener('alive', () => this.#heard(source));
    for (const name of Object.keys(this.#handlers)) this.#listen(name as keyof Events & string);
  }

  #heard(source: EventSource): void {
    if (this.#source !== source) return;
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#lost(source), silenceMs);
  }

  #lost(source: EventSource): void {
    source.close();
    if (this.#source !== source) return;
    this.#pause();
    this.#onState('connecting');
    // Spread out, so that the pages of a whole company do not come back in the same instant.
    this.#timer = setTimeout(() => this.#open(), this.#delayMs * (0.5 + Math.random()));
    this.#delayMs = Math.min(this.#delayMs * 2, maxDelayMs);
  }

  #listen(name: keyof Events & string): void {
    const source = this.#source;
    source?.addEventListener(name, (event: MessageEvent<string>) => {
      this.#heard(source);
      const data = JSON.parse(event.data) as Events[typeof name];
      for (const handler of this.#handlers[name] ?? []) handler(data);
    });
  }
}
