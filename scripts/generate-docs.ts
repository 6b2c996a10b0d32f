/** Writes the documents that are made from the code; `--check` fails when one on disk is not what the code says. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { benchmarkPlots } from './benchmark-plots.ts';
import { configDocs } from './config-docs.ts';
import { metricsDocs } from './metrics-docs.ts';
import { monitoringFiles } from './monitoring/render.ts';
import { securityDocs } from './rights-docs.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const monitoring = Object.entries(monitoringFiles()).map(([name, render]) => [`deploy/chart/files/${name}`, render]);
const documents: Readonly<Record<string, () => string>> = {
  'docs/config.md': configDocs,
  'docs/metrics.md': metricsDocs,
  'docs/security.md': securityDocs,
  ...Object.fromEntries(monitoring),
  ...benchmarkPlots(),
};

for (const [name, render] of Object.entries(documents)) {
  const path = join(root, name);
  const text = render();
  if (!process.argv.includes('--check')) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  } else if (readFileSync(path, 'utf8') !== text) {
    console.error(`${name} is not what the code says: run "npm run docs"`);
    process.exitCode = 1;
  }
}
