/** Dashboards for Grafana and rules for Prometheus, as files of the chart and for everybody else. */
import { stringify } from 'yaml';
import { alerts } from './alerts.ts';
import { dashboards, type Dashboard, type Panel } from './panels.ts';

const columns = 3;
const width = 24 / columns;
const height = 8;
const source = { type: 'prometheus', uid: '${datasource}' };

/** Path below deploy/chart/files → text. */
export function monitoringFiles(): Readonly<Record<string, () => string>> {
  const pages = dashboards.map(
    (dashboard) => [`dashboards/dragonfly-${dashboard.name}.json`, () => dashboardJson(dashboard)] as const,
  );
  return { ...Object.fromEntries(pages), 'alerts.yaml': alertRules };
}

function dashboardJson({ name, title, panels }: Dashboard): string {
  const dashboard = {
    uid: `dragonfly-${name}`,
    title,
    tags: ['dragonfly'],
    schemaVersion: 39,
    version: 1,
    editable: true,
    timezone: 'browser',
    refresh: '30s',
    time: { from: 'now-1h', to: 'now' },
    templating: { list: [{ name: 'datasource', type: 'datasource', query: 'prometheus', label: 'Data source' }] },
    links: [{ title: 'Dragonfly', type: 'dashboards', tags: ['dragonfly'], asDropdown: true }],
    panels: panels.map(panelJson),
  };
  return `${JSON.stringify(dashboard, null, 2)}\n`;
}

function panelJson({ title, description, unit, queries, stacked = false }: Panel, index: number) {
  const stacking = { mode: stacked ? 'normal' : 'none', group: 'A' };
  const custom = { drawStyle: 'line', lineWidth: 1, fillOpacity: stacked ? 30 : 5, showPoints: 'never', stacking };
  return {
    id: index + 1,
    type: 'timeseries',
    title,
    ...(description !== undefined && { description }),
    datasource: source,
    gridPos: { x: (index % columns) * width, y: Math.floor(index / columns) * height, w: width, h: height },
    fieldConfig: { defaults: { unit, min: 0, custom }, overrides: [] },
    options: { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi', sort: 'desc' } },
    targets: Object.entries(queries).map(([legendFormat, expr], at) => ({
      refId: String.fromCodePoint(65 + at),
      datasource: source,
      expr,
      legendFormat,
    })),
  };
}

function alertRules(): string {
  const rules = alerts.map(({ name, expr, for: duration, severity, summary, description }) => ({
    alert: name,
    expr,
    for: duration,
    labels: { severity },
    annotations: { summary, description },
  }));
  const note = '# Made from scripts/monitoring by `npm run docs`; do not edit.\n';
  return note + stringify({ groups: [{ name: 'dragonfly', rules }] }, { lineWidth: 0 });
}
