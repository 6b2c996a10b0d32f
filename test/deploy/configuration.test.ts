/** The files of packages are what the services read: every key is known, and the ports of one host do not collide. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { loadConfig } from '../../src/core/config/config.ts';
import { loadDfdaemonConfig } from '../../src/dfdaemon/config.ts';
import { managerConfigSchema } from '../../src/manager/config.ts';
import { schedulerConfigSchema } from '../../src/scheduler/config.ts';
import { root } from '../house/repository.ts';
import { units } from '../../scripts/package/install-tree.ts';

const path = (name: string): string => join(root, 'deploy/config', name);

describe('the configuration of packages', () => {
  test('is read without a warning', async () => {
    const loaded = [
      await loadConfig(managerConfigSchema, path('manager.yaml')),
      await loadConfig(schedulerConfigSchema, path('scheduler.yaml')),
      await loadDfdaemonConfig(path('dfget.yaml'), {}),
      await loadDfdaemonConfig(path('seed-peer.yaml'), {}),
    ];
    assert.deepEqual(
      loaded.flatMap(({ warnings }) => warnings),
      [],
    );
  });

  test('leaves each service of one host ports of its own', async () => {
    const { config: manager } = await loadConfig(managerConfigSchema, path('manager.yaml'));
    const { config: scheduler } = await loadConfig(schedulerConfigSchema, path('scheduler.yaml'));
    const daemons = await Promise.all(
      ['dfget.yaml', 'seed-peer.yaml'].map(async (name) => (await loadDfdaemonConfig(path(name), {})).config),
    );
    const portOf = (address: string): number => Number(address.slice(address.lastIndexOf(':') + 1));
    const ports = [
      manager.server.grpc.port.start,
      portOf(manager.server.rest.addr),
      portOf(manager.metrics.addr),
      scheduler.server.port,
      portOf(scheduler.metrics.addr),
      ...daemons.flatMap(({ download, upload, proxy, health, metrics }) => [
        download.peerGRPC.tcpListen.port,
        upload.tcpListen.port,
        proxy.tcpListen?.port ?? 65_001,
        health.tcpListen.port,
        portOf(metrics),
      ]),
    ];
    assert.equal(new Set(ports).size, ports.length, JSON.stringify(ports));
  });
});

describe('the units', () => {
  for (const unit of units) {
    const text = readFileSync(join(root, 'deploy/systemd', unit), 'utf8');
    test(`${unit}: tells readiness, is watched, has no more rights than it needs`, () => {
      for (const line of ['Type=notify', 'WatchdogSec=60', 'Restart=always', 'NoNewPrivileges=yes']) {
        assert.ok(text.includes(`\n${line}\n`), line);
      }
      const [, program, file] =
        /^ExecStart=\/usr\/bin\/dragonfly (\w+) --config \/etc\/dragonfly\/(\S+)$/m.exec(text) ?? [];
      assert.ok(program && ['manager', 'scheduler', 'dfdaemon'].includes(program));
      readFileSync(path(file ?? ''));
      const [, bounding] = /^CapabilityBoundingSet=(.*)$/m.exec(text) ?? [];
      assert.equal(bounding, unit === 'dragonfly-dfdaemon.service' ? 'CAP_SETUID CAP_SETGID' : '');
    });
  }
});
