/** Plots of docs/benchmarks.md, from the figures that were recorded in bench/recorded.json: bars beside each other, one plot a group. */
import { readFileSync } from 'node:fs';

interface Plot {
  /** Name of the file in docs/benchmarks/. */
  readonly name: string;
  readonly title: string;
  readonly unit: string;
  readonly bars: readonly { readonly label: string; readonly value: number; readonly ours: boolean }[];
}

const rowHeight = 30;
const labelWidth = 250;
const barWidth = 400;
const valueWidth = 110;
const titleHeight = 40;

/** Path from the root → the file's text. */
export function benchmarkPlots(): Record<string, () => string> {
  const recorded = readFileSync(new URL('../bench/recorded.json', import.meta.url), 'utf8');
  const plots = JSON.parse(recorded) as readonly Plot[];
  return Object.fromEntries(plots.map((plot) => [`docs/benchmarks/${plot.name}.svg`, () => draw(plot)]));
}

function draw({ title, unit, bars }: Plot): string {
  const most = Math.max(...bars.map(({ value }) => value));
  const width = labelWidth + barWidth + valueWidth;
  const height = titleHeight + bars.length * rowHeight + 10;
  const about = bars.map(({ label, value }) => `${label} ${value} ${unit}`).join('; ');
  const rows = bars.map(({ label, value, ours }, index) => {
    const y = titleHeight + index * rowHeight;
    const length = Math.max(1, Math.round((value / most) * barWidth));
    return [
      `<text x="${labelWidth - 10}" y="${y + 19}" text-anchor="end">${escaped(label)}</text>`,
      `<rect x="${labelWidth}" y="${y + 4}" width="${length}" height="${rowHeight - 8}" rx="3" fill="${ours ? '#0a7d6c' : '#8a94a6'}"/>`,
      `<text x="${labelWidth + length + 8}" y="${y + 19}">${value} ${escaped(unit)}</text>`,
    ].join('\n  ');
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="14" fill="#4a5568" role="img" aria-label="${escaped(`${title}: ${about}`)}">
  <text x="10" y="24" font-size="16" font-weight="600">${escaped(title)}</text>
  ${rows.join('\n  ')}
</svg>
`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
