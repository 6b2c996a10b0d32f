/**
 * Draws a swarm on a canvas. Peers are drawn in few calls: those that look alike together, and without outline when they
 * are small on the screen. Colour says what kind of peer it is, how much of it is filled how much it holds.
 */
import type { PeerState } from '../events/event-types.ts';
import type { Camera } from './camera.ts';
import { flightMs, type Particle } from './particles.ts';
import type { Layout, Spot } from './swarm-layout.ts';
import type { SwarmModel } from './swarm-model.ts';

export interface Colors {
  readonly text: string;
  readonly muted: string;
  readonly line: string;
  readonly zone: string;
  readonly empty: string;
  readonly origin: string;
  readonly seed: string;
  readonly peer: string;
  readonly failed: string;
}

const progressSteps = 8;
const peerRadius = 5.2;
const seedRadius = 7.5;
const originRadius = 11;
/** Below this size on the screen a peer is a dot of one colour. */
const detailFromPx = 3.2;
const maxLinksDrawn = 2_500;
/** From this size on peers have their names beside them, where there are not too many. */
const namedFromPx = 9;
const maxNames = 80;

export interface Labels {
  readonly origin: string;
  readonly zone: (name: string, peers: number) => string;
}

export interface Scene {
  readonly labels: Labels;
  readonly model: SwarmModel;
  readonly layout: Layout;
  readonly camera: Camera;
  readonly colors: Colors;
  readonly particles: readonly Particle[];
  readonly selected: string | undefined;
  readonly nowMs: number;
  readonly pixelRatio: number;
}

export function paint(context: CanvasRenderingContext2D, scene: Scene): void {
  const { camera, pixelRatio } = scene;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, context.canvas.width, context.canvas.height);
  context.setTransform(
    camera.scale * pixelRatio,
    0,
    0,
    camera.scale * pixelRatio,
    camera.x * pixelRatio,
    camera.y * pixelRatio,
  );
  paintZones(context, scene);
  paintLinks(context, scene);
  paintParticles(context, scene);
  paintPeers(context, scene);
  paintOrigin(context, scene);
  paintNames(context, scene);
  paintLabels(context, scene);
}

/** Discs, and around each how much its peers hold together. */
function paintZones(context: CanvasRenderingContext2D, { layout, model, colors, camera }: Scene): void {
  const held = new Map<string, number>();
  for (const { idc, finished_pieces: finished } of model.peers.values()) held.set(idc, (held.get(idc) ?? 0) + finished);
  const pieces = model.task?.piece_count ?? 0;
  for (const { x, y, radius, name, size } of layout.zones) {
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.fillStyle = colors.zone;
    context.fill();
    context.strokeStyle = colors.line;
    context.lineWidth = 1 / camera.scale;
    context.stroke();
    const share = pieces === 0 ? 0 : (held.get(name) ?? 0) / (pieces * size);
    context.beginPath();
    context.arc(x, y, radius, -Math.PI / 2, -Math.PI / 2 + 2 * Math.PI * share);
    context.strokeStyle = colors.peer;
    context.lineWidth = 3 / camera.scale;
    context.stroke();
  }
}

/** Above everything, with a halo, so that they can be read wherever they fall. */
function paintLabels(context: CanvasRenderingContext2D, { layout, colors, camera, labels }: Scene): void {
  const above = 8 / camera.scale;
  context.textAlign = 'center';
  context.font = `600 ${13 / camera.scale}px system-ui, sans-serif`;
  context.lineJoin = 'round';
  context.lineWidth = 4 / camera.scale;
  context.strokeStyle = colors.empty;
  context.fillStyle = colors.muted;
  const label = (text: string, x: number, y: number): void => {
    context.strokeText(text, x, y);
    context.fillText(text, x, y);
  };
  for (const { x, y, radius, name, size } of layout.zones) label(labels.zone(name, size), x, y - radius - above);
  label(labels.origin, layout.origin.x, layout.origin.y - originRadiusAt(camera) - above);
}

function paintLinks(context: CanvasRenderingContext2D, { model, layout, colors, camera, selected }: Scene): void {
  if (model.links.size > maxLinksDrawn && selected === undefined) return;
  context.beginPath();
  for (const { parent_id: parent, child_id: child, open } of model.links.values()) {
    if (selected === undefined ? !open : parent !== selected && child !== selected) continue;
    const from = layout.spots.get(parent);
    const to = layout.spots.get(child);
    if (from && to) curve(context, from, to);
  }
  context.strokeStyle = selected === undefined ? colors.line : colors.peer;
  context.lineWidth = (selected === undefined ? 0.9 : 1.4) / Math.sqrt(camera.scale);
  context.stroke();
}

function curve(context: CanvasRenderingContext2D, from: Spot, to: Spot): void {
  const bend = bendOf(from, to);
  context.moveTo(from.x, from.y);
  context.quadraticCurveTo(bend.x, bend.y, to.x, to.y);
}

function bendOf(from: Spot, to: Spot): Spot {
  return { x: (from.x + to.x) / 2 - (to.y - from.y) * 0.12, y: (from.y + to.y) / 2 + (to.x - from.x) * 0.12 };
}

function paintParticles(context: CanvasRenderingContext2D, { particles, colors, nowMs, camera }: Scene): void {
  const size = 2.1 / Math.sqrt(Math.min(1, camera.scale));
  for (const fromOrigin of [false, true]) {
    context.beginPath();
    for (const particle of particles) {
      const share = (nowMs - particle.startMs) / flightMs;
      if (share < 0 || particle.fromOrigin !== fromOrigin) continue;
      const { x, y } = pointOn(particle, share * share * (3 - 2 * share));
      context.moveTo(x + size, y);
      context.arc(x, y, size, 0, 2 * Math.PI);
    }
    context.fillStyle = fromOrigin ? colors.origin : colors.peer;
    context.fill();
  }
}

function pointOn({ from, to }: Particle, share: number): Spot {
  const bend = bendOf(from, to);
  const rest = 1 - share;
  return {
    x: rest * rest * from.x + 2 * rest * share * bend.x + share * share * to.x,
    y: rest * rest * from.y + 2 * rest * share * bend.y + share * share * to.y,
  };
}

function paintPeers(context: CanvasRenderingContext2D, scene: Scene): void {
  const { model, layout, camera, colors, selected } = scene;
  const detailed = peerRadius * camera.scale >= detailFromPx;
  const pieces = model.task?.piece_count ?? 0;
  const alike = new Map<string, Spot[]>();
  for (const peer of model.peers.values()) {
    const spot = layout.spots.get(peer.id);
    if (!spot || !camera.isVisible(spot, 20)) continue;
    const look = lookOf(peer, pieces);
    const spots = alike.get(look);
    if (spots) spots.push(spot);
    else alike.set(look, [spot]);
  }
  for (const [look, spots] of alike) paintAlike(context, look, spots, colors, detailed);
  const spot = selected === undefined ? undefined : layout.spots.get(selected);
  if (!spot) return;
  context.beginPath();
  context.arc(spot.x, spot.y, seedRadius + 3, 0, 2 * Math.PI);
  context.strokeStyle = colors.text;
  context.lineWidth = 2 / camera.scale;
  context.stroke();
}

/** `seed 8`, `normal 3`, `failed 0`: kind and progress in steps. */
function lookOf({ type, state, finished_pieces: finished }: PeerState, pieces: number): string {
  const step = pieces === 0 ? 0 : Math.min(progressSteps, Math.floor((finished / pieces) * progressSteps));
  return `${/fail/i.test(state) ? 'failed' : type} ${step}`;
}

function paintAlike(
  context: CanvasRenderingContext2D,
  look: string,
  spots: readonly Spot[],
  colors: Colors,
  detailed: boolean,
): void {
  const [kind, stepText] = look.split(' ');
  const share = Number(stepText) / progressSteps;
  const color = kind === 'failed' ? colors.failed : kind === 'seed' ? colors.seed : colors.peer;
  const radius = kind === 'seed' ? seedRadius : peerRadius;
  context.beginPath();
  for (const { x, y } of spots) {
    if (detailed) {
      context.moveTo(x + radius, y);
      context.arc(x, y, radius, 0, 2 * Math.PI);
    } else context.rect(x - radius, y - radius, 2 * radius, 2 * radius);
  }
  context.fillStyle = detailed ? colors.empty : colors.line;
  context.fill();
  if (detailed) {
    context.strokeStyle = color;
    context.lineWidth = 1.1;
    context.stroke();
  }
  if (share === 0) return;
  context.beginPath();
  for (const { x, y } of spots) {
    if (!detailed) context.rect(x - radius, y + radius - 2 * radius * share, 2 * radius, 2 * radius * share);
    else if (share === 1) {
      context.moveTo(x + radius, y);
      context.arc(x, y, radius, 0, 2 * Math.PI);
    } else {
      context.moveTo(x, y);
      context.arc(x, y, radius, -Math.PI / 2, -Math.PI / 2 + 2 * Math.PI * share);
      context.closePath();
    }
  }
  context.fillStyle = color;
  context.fill();
}

function paintNames(context: CanvasRenderingContext2D, { model, layout, camera, colors }: Scene): void {
  if (peerRadius * camera.scale < namedFromPx) return;
  const named = [...model.peers.values()].flatMap(({ id, host_name: name, type }) => {
    const spot = layout.spots.get(id);
    return spot && camera.isVisible(spot, 0) ? [{ name, spot, radius: type === 'seed' ? seedRadius : peerRadius }] : [];
  });
  if (named.length > maxNames) return;
  context.textAlign = 'center';
  context.font = `${10 / camera.scale}px system-ui, sans-serif`;
  context.lineJoin = 'round';
  context.lineWidth = 3 / camera.scale;
  context.strokeStyle = colors.zone;
  context.fillStyle = colors.text;
  for (const { name, spot, radius } of named) {
    const below = spot.y + radius + 11 / camera.scale;
    context.strokeText(name, spot.x, below);
    context.fillText(name, spot.x, below);
  }
}

function paintOrigin(context: CanvasRenderingContext2D, { layout: { origin }, colors, camera }: Scene): void {
  const radius = originRadiusAt(camera);
  context.beginPath();
  context.roundRect(origin.x - radius, origin.y - radius, 2 * radius, 2 * radius, radius * 0.4);
  context.fillStyle = colors.origin;
  context.fill();
}

/** Never lost among thousands, never larger than life among a few. */
function originRadiusAt({ scale }: Camera): number {
  return Math.min(Math.max(originRadius, 7 / scale), 20 / scale);
}

/** The peer under a point of the world. */
export function peerAt({ layout, model }: Pick<Scene, 'layout' | 'model'>, at: Spot): PeerState | undefined {
  let nearest: string | undefined;
  let distance = seedRadius + 3;
  for (const [id, spot] of layout.spots) {
    const away = Math.hypot(spot.x - at.x, spot.y - at.y);
    if (away >= distance) continue;
    nearest = id;
    distance = away;
  }
  return nearest === undefined ? undefined : model.peers.get(nearest);
}
