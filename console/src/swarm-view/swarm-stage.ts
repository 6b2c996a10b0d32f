/**
 * Runs the picture of a swarm: one frame per screen refresh while something moves, none while all is at rest. Owns the
 * canvas, its pointer and its size; whoever opens it closes it.
 */
import type { PeerState } from '../events/event-types.ts';
import { Camera } from './camera.ts';
import { Particles } from './particles.ts';
import { layoutOf, type Layout, type Spot } from './swarm-layout.ts';
import type { SwarmModel } from './swarm-model.ts';
import { paint, peerAt, type Colors, type Labels } from './swarm-painter.ts';

export interface StageListener {
  readonly onHover: (peer: PeerState | undefined, at: Spot) => void;
  readonly onSelect: (peer: PeerState | undefined) => void;
}

export interface Looks {
  readonly colors: Colors;
  readonly labels: Labels;
}

/** A press that moved less than this is a click. */
const clickSlackPx = 4;

export class SwarmStage {
  readonly #canvas: HTMLCanvasElement;
  readonly #model: SwarmModel;
  readonly #camera = new Camera();
  readonly #particles = new Particles();
  readonly #closed = new AbortController();
  readonly #resizes: ResizeObserver;
  readonly #stillness = matchMedia('(prefers-reduced-motion: reduce)');
  readonly #unsubscribe: () => void;
  #layout: Layout;
  #membership = -1;
  #looks: Looks | undefined;
  #selected: string | undefined;
  #listener: StageListener | undefined;
  #frame = 0;
  #press: { readonly x: number; readonly y: number; dragged: boolean } | undefined;

  constructor(canvas: HTMLCanvasElement, model: SwarmModel) {
    this.#canvas = canvas;
    this.#model = model;
    this.#layout = layoutOf([]);
    this.#resizes = new ResizeObserver(() => this.#resize());
    this.#resizes.observe(canvas);
    this.#unsubscribe = model.subscribe(() => this.#wake());
    const { signal } = this.#closed;
    canvas.addEventListener('wheel', (event) => this.#onWheel(event), { passive: false, signal });
    canvas.addEventListener('pointerdown', (event) => this.#onDown(event), { signal });
    canvas.addEventListener('pointermove', (event) => this.#onMove(event), { signal });
    canvas.addEventListener('pointerup', (event) => this.#onUp(event), { signal });
    canvas.addEventListener('pointerleave', () => this.#listener?.onHover(undefined, { x: 0, y: 0 }), { signal });
    this.#resize();
  }

  close(): void {
    cancelAnimationFrame(this.#frame);
    this.#closed.abort();
    this.#resizes.disconnect();
    this.#unsubscribe();
  }

  setLooks(looks: Looks): void {
    this.#looks = looks;
    this.#wake();
  }

  setSelected(peerId: string | undefined): void {
    this.#selected = peerId;
    this.#wake();
  }

  /** Returns how to stop listening. */
  listen(listener: StageListener): () => void {
    this.#listener = listener;
    return () => {
      if (this.#listener === listener) this.#listener = undefined;
    };
  }

  zoom(factor: number): void {
    this.#camera.zoom(factor);
    this.#wake();
  }

  fit(): void {
    this.#camera.release();
    this.#camera.fit(this.#layout);
    this.#wake();
  }

  #wake(): void {
    if (this.#frame === 0 && !this.#closed.signal.aborted)
      this.#frame = requestAnimationFrame((nowMs) => this.#draw(nowMs));
  }

  #draw(nowMs: number): void {
    this.#frame = 0;
    const context = this.#canvas.getContext('2d');
    if (!context || !this.#looks) return;
    if (this.#membership !== this.#model.membership) {
      this.#membership = this.#model.membership;
      this.#layout = layoutOf(this.#model.peers.values());
      this.#camera.fit(this.#layout);
    }
    const flows = this.#model.takeFlows();
    if (this.#stillness.matches) this.#particles.clear();
    else this.#particles.add(flows, this.#layout, nowMs);
    const particles = this.#particles.at(nowMs);
    paint(context, {
      model: this.#model,
      layout: this.#layout,
      camera: this.#camera,
      ...this.#looks,
      selected: this.#selected,
      pixelRatio: devicePixelRatio,
      particles,
      nowMs,
    });
    if (particles.length > 0) this.#wake();
  }

  #resize(): void {
    const { clientWidth, clientHeight } = this.#canvas;
    this.#canvas.width = Math.round(clientWidth * devicePixelRatio);
    this.#canvas.height = Math.round(clientHeight * devicePixelRatio);
    this.#camera.resize(clientWidth, clientHeight);
    this.#camera.fit(this.#layout);
    this.#wake();
  }

  #onWheel(event: WheelEvent): void {
    event.preventDefault();
    this.#camera.zoom(Math.exp(-event.deltaY * 0.0015), { x: event.offsetX, y: event.offsetY });
    this.#wake();
  }

  #onDown(event: PointerEvent): void {
    this.#canvas.setPointerCapture(event.pointerId);
    this.#press = { x: event.offsetX, y: event.offsetY, dragged: false };
  }

  #onMove(event: PointerEvent): void {
    const press = this.#press;
    if (!press) {
      const at = { x: event.offsetX, y: event.offsetY };
      this.#listener?.onHover(this.#peerAt(at), at);
      return;
    }
    if (!press.dragged && Math.hypot(event.offsetX - press.x, event.offsetY - press.y) < clickSlackPx) return;
    press.dragged = true;
    this.#camera.pan(event.movementX, event.movementY);
    this.#wake();
  }

  #onUp(event: PointerEvent): void {
    if (this.#press?.dragged === false) this.#listener?.onSelect(this.#peerAt({ x: event.offsetX, y: event.offsetY }));
    this.#press = undefined;
  }

  #peerAt(at: Spot): PeerState | undefined {
    return peerAt({ layout: this.#layout, model: this.#model }, this.#camera.toWorld(at));
  }
}
