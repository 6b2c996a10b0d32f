/** Completion curves as an SVG picture: share of the peers that are done, over time in units of the fluid limit. */
import type { SimulationResult } from './simulation.ts';

export interface Curve {
  readonly label: string;
  readonly result: SimulationResult;
}

const width = 720;
const height = 420;
const margin = { left: 56, right: 16, top: 32, bottom: 48 };
const colours = ['#0b6e4f', '#c8553d', '#28536b', '#f2a541', '#6f4e7c', '#4f772d'];

export function completionPlot(title: string, curves: readonly Curve[]): string {
  const slowest = Math.max(1, ...curves.map(({ result }) => result.r));
  const x = (ratio: number): number => margin.left + (ratio / slowest) * (width - margin.left - margin.right);
  const y = (share: number): number => height - margin.bottom - share * (height - margin.top - margin.bottom);
  const lines = curves.map(({ label, result }, place) => {
    const colour = colours[place % colours.length] ?? 'black';
    const steps = result.completions.map(
      (seconds, done) =>
        `L${x(seconds / result.fluidLimitSeconds).toFixed(1)} ${y((done + 1) / result.completions.length).toFixed(1)}`,
    );
    const legendY = margin.top + 16 + place * 16;
    return `<path d="M${x(0)} ${y(0)} ${steps.join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/>
<text x="${margin.left + 12}" y="${legendY}" fill="${colour}">${escape(label)}: R ${result.r.toFixed(2)}, ${result.originCopies.toFixed(2)} origin copies</text>`;
  });
  const ticks = Array.from(
    { length: Math.floor(slowest) + 1 },
    (_, ratio) => `<text x="${x(ratio)}" y="${height - 28}" text-anchor="middle">${ratio}</text>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="white"/>
<text x="${width / 2}" y="20" text-anchor="middle" font-size="14">${escape(title)}</text>
<path d="M${x(1)} ${y(0)}V${y(1)}" stroke="#999" stroke-dasharray="4 4"/>
<path d="M${margin.left} ${y(1)}V${y(0)}H${width - margin.right}" fill="none" stroke="black"/>
${lines.join('\n')}
${ticks.join('')}
<text x="${width / 2}" y="${height - 8}" text-anchor="middle">time ÷ fluid limit</text>
<text x="14" y="${height / 2}" transform="rotate(-90 14 ${height / 2})" text-anchor="middle">share of peers done</text>
</svg>
`;
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
