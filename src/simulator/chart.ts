/** Draws lines over two axes as an SVG picture. */
export interface Series {
  readonly label: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  /** True for values that were not measured here: published by others, or a limit. */
  readonly dashed?: boolean;
}

export interface ChartOptions {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  /** Decades take equal room. */
  readonly logX?: boolean;
  readonly logY?: boolean;
  readonly series: readonly Series[];
}

interface Axis {
  readonly place: (value: number) => number;
  readonly ticks: readonly number[];
}

const width = 860;
const height = 440;
const margin = { left: 64, right: 300, top: 36, bottom: 52 };
const colours = ['#0b6e4f', '#c8553d', '#28536b', '#f2a541', '#6f4e7c', '#4f772d', '#8d99ae', '#d62839', '#3a86ff'];
/** More points per line would not be visible. */
const pointsPerLine = 400;

export function chart({ title, x, y, logX, logY, series }: ChartOptions): string {
  const bottom = height - margin.bottom;
  const right = width - margin.right;
  const values = (which: 0 | 1): number[] => series.flatMap(({ points }) => points.map((point) => point[which]));
  const across = axis(values(0), { from: margin.left, to: right, log: logX === true });
  const up = axis(values(1), { from: bottom, to: margin.top, log: logY === true });
  const lines = series.map(({ label, points, dashed }, index) => {
    const colour = colours[index % colours.length] ?? 'black';
    const path = thinned(points).map(([a, b]) => `${across.place(a).toFixed(1)} ${up.place(b).toFixed(1)}`);
    const marks =
      points.length > 12
        ? ''
        : points
            .map(
              ([a, b]) =>
                `<circle cx="${across.place(a).toFixed(1)}" cy="${up.place(b).toFixed(1)}" r="3" fill="${colour}"/>`,
            )
            .join('');
    return `<path d="M${path.join(' L')}" fill="none" stroke="${colour}" stroke-width="2"${dashed === true ? ' stroke-dasharray="6 4"' : ''}/>${marks}
<text x="${right + 14}" y="${margin.top + 8 + index * 17}" fill="${colour}">${escaped(label)}</text>`;
  });
  const below = across.ticks.map(
    (value) => `<text x="${across.place(value)}" y="${bottom + 18}" text-anchor="middle">${short(value)}</text>`,
  );
  const beside = up.ticks.map(
    (value) =>
      `<path d="M${margin.left} ${up.place(value)}H${right}" stroke="#e4e4e4"/><text x="${margin.left - 8}" y="${up.place(value) + 4}" text-anchor="end">${short(value)}</text>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="white"/>
<text x="${margin.left}" y="20" font-size="14">${escaped(title)}</text>
${beside.join('\n')}
<path d="M${margin.left} ${margin.top}V${bottom}H${right}" fill="none" stroke="black"/>
${lines.join('\n')}
${below.join('')}
<text x="${(margin.left + right) / 2}" y="${height - 10}" text-anchor="middle">${escaped(x)}</text>
<text x="16" y="${(margin.top + bottom) / 2}" transform="rotate(-90 16 ${(margin.top + bottom) / 2})" text-anchor="middle">${escaped(y)}</text>
</svg>
`;
}

/** Whole decades on a logarithmic axis, otherwise from 0 to a round number. */
function axis(values: readonly number[], { from, to, log }: { from: number; to: number; log: boolean }): Axis {
  const most = Math.max(...values, Number.MIN_VALUE);
  if (!log) {
    const step = roundStep(most / 5);
    const end = Math.ceil(most / step - 1e-9) * step;
    const ticks = Array.from({ length: Math.round(end / step) + 1 }, (_, index) => index * step);
    return { place: (value) => from + (value / end) * (to - from), ticks };
  }
  const first = Math.floor(Math.log10(Math.min(...values)));
  const last = Math.max(first + 1, Math.ceil(Math.log10(most) - 1e-9));
  const ticks = Array.from({ length: last - first + 1 }, (_, index) => 10 ** (first + index));
  return { place: (value) => from + ((Math.log10(value) - first) / (last - first)) * (to - from), ticks };
}

function roundStep(rough: number): number {
  const decade = 10 ** Math.floor(Math.log10(rough));
  return ([1, 2, 2.5, 5].find((step) => step * decade >= rough) ?? 10) * decade;
}

function thinned(points: Series['points']): Series['points'] {
  const every = Math.ceil(points.length / pointsPerLine);
  return points.filter((_, index) => index % every === 0 || index === points.length - 1);
}

function short(value: number): string {
  return value >= 1000 ? value.toLocaleString('en') : String(Number(value.toPrecision(3)));
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
