/** A real Prometheus that reads the metrics of a cluster every second. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { freePort } from '../../test/support/free-port.ts';
import { waitFor } from '../../test/support/wait-for.ts';
import { loopback } from './configuration.ts';
import type { MetricsPort } from './mixed-cluster.ts';

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

interface Answer {
  readonly status: string;
  readonly error?: string;
  readonly data?: {
    readonly result: readonly {
      readonly metric: Readonly<Record<string, string>>;
      readonly value: readonly [number, string];
    }[];
  };
}

export class Prometheus implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #address: string;

  /** @param namespace label of every sample, as the chart's monitors add it. */
  static async start(directory: string, namespace: string, ports: readonly MetricsPort[]): Promise<Prometheus> {
    await mkdir(directory, { recursive: true });
    const configPath = join(directory, 'prometheus.yaml');
    const targets = ports.map(({ container, port }) => ({
      targets: [`${loopback}:${port}`],
      labels: { namespace, container },
    }));
    await writeFile(
      configPath,
      stringify({
        global: { scrape_interval: '1s', scrape_timeout: '1s' },
        scrape_configs: [{ job_name: 'dragonfly', static_configs: targets }],
      }),
    );
    const port = await freePort();
    await using log = await open(join(directory, 'prometheus.log'), 'a');
    const child = spawn(
      'prometheus',
      [
        `--config.file=${configPath}`,
        `--storage.tsdb.path=${join(directory, 'data')}`,
        `--web.listen-address=${loopback}:${port}`,
      ],
      { stdio: ['ignore', log.fd, log.fd] },
    );
    const prometheus = new Prometheus(child, `http://${loopback}:${port}`);
    await waitFor('Prometheus to serve', () => prometheus.#isReady(), 60_000);
    return prometheus;
  }

  private constructor(child: ChildProcess, address: string) {
    this.#child = child;
    this.#address = address;
  }

  /** Throws when Prometheus does not understand the query. */
  async query(query: string): Promise<readonly Sample[]> {
    const response = await fetch(`${this.#address}/api/v1/query`, {
      method: 'POST',
      body: new URLSearchParams({ query }),
    });
    const { data, error } = (await response.json()) as Answer;
    if (!data) throw new Error(`${query}: ${error}`);
    return data.result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
  }

  /** Some part names the metric, whether or not it has counted anything yet. */
  async knows(metric: string): Promise<boolean> {
    const response = await fetch(`${this.#address}/api/v1/metadata?${new URLSearchParams({ metric }).toString()}`);
    const { data } = (await response.json()) as { readonly data: Readonly<Record<string, unknown>> };
    return metric in data;
  }

  async #isReady(): Promise<boolean> {
    if (this.#child.exitCode !== null) throw new Error(`prometheus ended with ${this.#child.exitCode}`);
    try {
      return (await fetch(`${this.#address}/-/ready`)).ok;
    } catch {
      return false;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }
}
