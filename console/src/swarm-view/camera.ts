/** Which part of the world is on the screen: fits all of it until somebody moves it. */
import type { Layout, Spot } from './swarm-layout.ts';

const minScale = 0.05;
const maxScale = 6;
const fitMargin = 0.94;
const maxFitScale = 3.6;

export class Camera {
  scale = 1;
  x = 0;
  y = 0;
  #width = 1;
  #height = 1;
  #moved = false;

  resize(width: number, height: number): void {
    this.#width = Math.max(1, width);
    this.#height = Math.max(1, height);
  }

  fit({ bounds }: Layout): void {
    if (this.#moved) return;
    const width = bounds.right - bounds.left;
    const height = bounds.bottom - bounds.top;
    this.scale = Math.min(maxFitScale, Math.min(this.#width / width, this.#height / height) * fitMargin);
    this.x = this.#width / 2 - ((bounds.left + bounds.right) / 2) * this.scale;
    this.y = this.#height / 2 - ((bounds.top + bounds.bottom) / 2) * this.scale;
  }

  /** Back to everything. */
  release(): void {
    this.#moved = false;
  }

  zoom(factor: number, at: Spot = { x: this.#width / 2, y: this.#height / 2 }): void {
    const scale = Math.min(maxScale, Math.max(minScale, this.scale * factor));
    this.x = at.x - ((at.x - this.x) * scale) / this.scale;
    this.y = at.y - ((at.y - this.y) * scale) / this.scale;
    this.scale = scale;
    this.#moved = true;
  }

  pan(dx: number, dy: number): void {
    this.x += dx;
    this.y += dy;
    this.#moved = true;
  }

  toWorld({ x, y }: Spot): Spot {
    return { x: (x - this.x) / this.scale, y: (y - this.y) / this.scale };
  }

  isVisible({ x, y }: Spot, margin: number): boolean {
    const left = x * this.scale + this.x;
    const top = y * this.scale + this.y;
    return left > -margin && top > -margin && left < this.#width + margin && top < this.#height + margin;
  }
}
