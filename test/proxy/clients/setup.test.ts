// needs: docker-registry, skopeo, containerd, ctr
import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import { runSetup } from '../../../src/cli/setup/setup.ts';
import { printableClients } from '../../../src/cli/setup/print.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { waitFor } from '../../support/wait-for.ts';
import { DockerRegistry } from '../support/docker-registry.ts';
import { run, startContainerd } from '../support/engines-fixture.ts';
import { makeImage, pushImage } from '../support/images.ts';
import { startDaemon } from '../support/proxy-fixture.ts';

async function setup(...argv: string[]): Promise<{ code: number; output: string }> {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  const output = text(stdout);
  try {
    const code = await runSetup(argv, { stdin, stdout, stderr, env: {}, signal: new AbortController().signal });
    stdout.end();
    return { code, output: await output };
  } finally {
    stdout.end();
  }
}

describe('dragonfly setup', () => {
  test('containerd: shown, then applied, a real pull through it, undone to the byte', async () => {
    await using directory = await temporaryDirectory('df-setup-');
    await using registry = await DockerRegistry.start({ directory: directory.join('registry') });
    await using daemon = await startDaemon();
    const config = directory.join('config.toml');
    const original = 'version = 2\n\n[plugins."io.containerd.grpc.v1.cri".registry]\n  # ours\n  config_path = ""\n';
    await writeFile(config, original);
    await chmod(config, 0o640);
    const hosts = directory.join('etc', 'certs.d');
    const argv = [
      'containerd',
      '--proxy',
      daemon.url,
      '--config',
      config,
      '--hosts-dir',
      hosts,
      '--state-dir',
      directory.join('state'),
      '--registry',
      `${registry.host}=${registry.url}`,
    ];

    const shown = await setup(...argv);
    assert.match(shown.output, /^\+  config_path = ".*certs\.d"$/m);
    assert.match(shown.output, /^\+ {4}X-Dragonfly-Registry = \["http:/m);
    assert.equal(await readFile(config, 'utf8'), original);

    const applied = await setup(...argv, '--apply');
    assert.match(applied.output, /Restart containerd once/);
    assert.match((await setup(...argv)).output, /nothing to change/);

    const image = makeImage({ layers: 2, layerBytes: 50_000 });
    await pushImage(registry.url, 'a/b', 'v1', image);
    {
      await using containerd = await startContainerd(directory.join('c'));
      await run('ctr', [
        '-a',
        containerd.socket,
        'images',
        'pull',
        '--snapshotter',
        'native',
        '--hosts-dir',
        hosts,
        `${registry.host}/a/b:v1`,
      ]);
    }
    const metrics = await daemon.service.registry.getSingleMetricAsString(
      'dragonfly_dfdaemon_proxy_request_via_dragonfly_total',
    );
    assert.match(metrics, /_total [1-9]/);

    await setup('containerd', '--undo', '--state-dir', directory.join('state'));
    assert.equal(await readFile(config, 'utf8'), original);
    assert.equal((await stat(config)).mode & 0o777, 0o640);
    await assert.rejects(readdir(directory.join('etc')), { code: 'ENOENT' });
    await assert.rejects(setup('containerd', '--undo', '--state-dir', directory.join('state')), { code: 'NOT_FOUND' });
  });

  test('an existing hosts.toml keeps its hosts, ours is asked first', async () => {
    await using directory = await temporaryDirectory('df-setup-');
    await writeFile(directory.join('config.toml'), `config_path = "${directory.join('d')}"\n`);
    await mkdir(directory.join('d', '_default'), { recursive: true });
    const existing = 'ca = "/x"\n[host."https://mirror"]\n  capabilities = ["pull"]\n';
    await writeFile(directory.join('d', '_default', 'hosts.toml'), existing);
    const shown = await setup('containerd', '--config', directory.join('config.toml'), '--proxy', 'http://127.0.0.1:1');
    assert.match(
      shown.output,
      / ca = "\/x"\n\+\[host\."http:\/\/127\.0\.0\.1:1"\]\n\+ {2}capabilities = \["pull", "resolve"\]\n\+ {2}dial_timeout = "2s"\n\+\n \[host\."https:\/\/mirror"\]/,
    );
  });

  test('a proxy that does not answer, or a registry that is none, changes nothing', async () => {
    await using directory = await temporaryDirectory('df-setup-');
    await using daemon = await startDaemon();
    const argv = ['podman', '--config', directory.join('conf.d'), '--state-dir', directory.join('state'), '--apply'];
    await assert.rejects(setup(...argv, '--proxy', 'http://127.0.0.1:1'), { code: 'DAEMON_UNREACHABLE' });
    await assert.rejects(setup(...argv, '--proxy', daemon.url, '--registry', 'x=http://127.0.0.1:1'), {
      code: 'SOURCE_UNREACHABLE',
    });
    assert.deepEqual(await readdir(directory.path), []);
  });

  test('podman and CRI-O: any registry through one mirror, by its path', async () => {
    await using directory = await temporaryDirectory('df-setup-');
    await using registry = await DockerRegistry.start({ directory: directory.join('registry') });
    await using daemon = await startDaemon();
    const image = makeImage({ layers: 1, layerBytes: 1000 });
    await pushImage(registry.url, 'a/b', 'v1', image);
    const conf = directory.join('conf.d');
    await setup(
      'podman',
      '--proxy',
      daemon.url,
      '--config',
      conf,
      '--state-dir',
      directory.join('state'),
      '--registry',
      `${registry.host}=${registry.url}`,
      '--apply',
    );
    await run('skopeo', [
      '--registries-conf',
      directory.join('conf.d', '90-dragonfly.conf'),
      'copy',
      `docker://${registry.host}/a/b:v1`,
      `oci:${directory.join('out')}:v1`,
    ]);
    const metrics = await daemon.service.registry.getSingleMetricAsString(
      'dragonfly_dfdaemon_proxy_request_via_dragonfly_total',
    );
    assert.match(metrics, /_total [1-9]/);
    await setup('podman', '--undo', '--state-dir', directory.join('state'));
    await assert.rejects(readdir(conf), { code: 'ENOENT' });
  });

  test('Docker: the mirror is added to what is there; a later change by others is not lost', async () => {
    await using directory = await temporaryDirectory('df-setup-');
    const config = directory.join('daemon.json');
    await writeFile(config, '{\n    "live-restore": true,\n    "registry-mirrors": ["https://other"]\n}\n');
    const argv = [
      'docker',
      '--proxy',
      'http://127.0.0.1:65001',
      '--config',
      config,
      '--state-dir',
      directory.join('state'),
    ];
    await setup(...argv, '--apply', '--no-verify');
    assert.deepEqual(JSON.parse(await readFile(config, 'utf8')), {
      'live-restore': true,
      'registry-mirrors': ['http://127.0.0.1:65001', 'https://other'],
    });
    await assert.rejects(setup(...argv, '--apply', '--no-verify', '--method', 'proxy'), { code: 'ALREADY_EXISTS' });
    await writeFile(config, '{}');
    await assert.rejects(setup(...argv, '--undo'), { code: 'FAILED_PRECONDITION' });
    assert.equal(await readFile(config, 'utf8'), '{}');
  });

  test('Docker as proxy: the authority goes to its own directory for that registry only', async () => {
    await using directory = await temporaryDirectory('df-setup-');
    await writeFile(directory.join('ca.crt'), 'PEM\n');
    await setup(
      'docker',
      '--method',
      'proxy',
      '--registry',
      'registry.test:5443',
      '--docker-version',
      '28.5.2',
      '--ca',
      directory.join('ca.crt'),
      '--config',
      directory.join('daemon.json'),
      '--certs-dir',
      directory.join('certs.d'),
      '--state-dir',
      directory.join('state'),
      '--apply',
      '--no-verify',
    );
    assert.equal(await readFile(directory.join('certs.d', 'registry.test:5443', 'dragonfly.crt'), 'utf8'), 'PEM\n');
  });

  test('Docker before 23, which refuses proxies in daemon.json, gets them from systemd; undone, nothing is left', async () => {
    await using directory = await temporaryDirectory('df-setup-');
    const dropIn = directory.join('docker.service.d/dragonfly.conf');
    const argv = [
      'docker',
      '--method=proxy',
      '--docker-version=20.10.24',
      '--proxy=http://127.0.0.1:65001',
      `--drop-in=${dropIn}`,
      `--config=${directory.join('daemon.json')}`,
      `--state-dir=${directory.join('state')}`,
    ];
    const { output } = await setup(...argv, '--apply', '--no-verify');
    assert.match(
      await readFile(dropIn, 'utf8'),
      /^\[Service\]\nEnvironment=.*"HTTPS_PROXY=http:\/\/127\.0\.0\.1:65001"/,
    );
    assert.match(output, /daemon-reload/);
    await assert.rejects(readFile(directory.join('daemon.json')));
    await setup(...argv, '--undo');
    await assert.rejects(readFile(dropIn));
  });

  test("Docker Hub by Docker's own TLS: with consent this machine trusts the authority, undone it does not", async () => {
    await using directory = await temporaryDirectory('df-setup-');
    await mkdir(directory.join('bin'));
    const update = directory.join('bin', 'update-ca-certificates');
    await writeFile(update, `#!/bin/sh\nls ${directory.join('trust')} >> ${directory.join('updates')} 2>&1; exit 0\n`);
    await chmod(update, 0o755);
    await mkdir(directory.join('trust'));
    await writeFile(directory.join('ca.crt'), 'PEM\n');
    const path = process.env['PATH'];
    process.env['PATH'] = `${directory.join('bin')}:${path}`;
    try {
      const argv = [
        'docker',
        '--method=proxy',
        '--docker-version=28.5.2',
        `--config=${directory.join('daemon.json')}`,
        `--certs-dir=${directory.join('certs.d')}`,
        `--trust-dir=${directory.join('trust')}`,
        `--state-dir=${directory.join('state')}`,
      ];
      const ca = `--ca=${directory.join('ca.crt')}`;
      assert.match((await setup(...argv, ca, '--apply', '--no-verify')).output, /Docker Hub is only tunnelled/);
      await setup(...argv, '--undo');
      await assert.rejects(setup(...argv, '--system-trust'), { code: 'INVALID_ARGUMENT' });

      const { output } = await setup(...argv, ca, '--system-trust', '--apply', '--no-verify');
      assert.doesNotMatch(output, /only tunnelled/);
      assert.equal(await readFile(directory.join('trust', 'dragonfly.crt'), 'utf8'), 'PEM\n');
      await assert.rejects(readdir(directory.join('certs.d')), { code: 'ENOENT' });
      assert.equal(await readFile(directory.join('updates'), 'utf8'), 'dragonfly.crt\n');
      await setup(...argv, '--undo');
      assert.deepEqual(await readdir(directory.join('trust')), []);
      assert.equal(
        await readFile(directory.join('updates'), 'utf8'),
        'dragonfly.crt\n',
        'updated once more, to nothing',
      );

      await writeFile(update, '#!/bin/sh\necho no store >&2; exit 1\n');
      const failed = setup(...argv, ca, '--system-trust', '--apply', '--no-verify');
      await assert.rejects(failed, { code: 'FAILED_PRECONDITION', message: /update-ca-certificates failed: no store/ });
      assert.deepEqual(await readdir(directory.join('trust')), []);
    } finally {
      process.env['PATH'] = path;
    }
  });

  test('k3s and RKE2: ours is asked first, what is there stays as it is written, undone to the byte', async () => {
    await using directory = await temporaryDirectory('df-setup-');
    const config = directory.join('registries.yaml');
    const original = [
      '# ours',
      'mirrors:',
      '  docker.io:   # the hub',
      '    endpoint: ["https://other"]',
      '  quay.io:',
      'configs:',
      '  "other:5000": {auth: {username: me}}',
      '',
    ].join('\n');
    await writeFile(config, original);
    const argv = ['k3s', '--config', config, '--state-dir', directory.join('state')];
    const registries = ['docker.io', 'quay.io', 'ghcr.io'].flatMap((name) => ['--registry', name]);
    const { output } = await setup(...argv, ...registries, '--apply', '--no-verify');
    assert.match(output, /systemctl restart k3s/);
    const text = await readFile(config, 'utf8');
    assert.match(text, /^# ours\n/);
    assert.match(text, /# the hub/);
    const { mirrors, configs } = parse(text) as { mirrors: object; configs: object };
    const ours = 'http://127.0.0.1:65001';
    assert.deepEqual(mirrors, {
      'docker.io': { endpoint: [ours, 'https://other'] },
      'quay.io': { endpoint: [ours] },
      'ghcr.io': { endpoint: [ours] },
    });
    assert.deepEqual(configs, { 'other:5000': { auth: { username: 'me' } } });
    assert.match((await setup(...argv, ...registries)).output, /nothing to change/);
    await setup(...argv, '--undo');
    assert.equal(await readFile(config, 'utf8'), original);
    await writeFile(config, '- a list\n');
    await assert.rejects(setup(...argv), { code: 'FAILED_PRECONDITION' });
    const fresh = [
      'rke2',
      '--config',
      directory.join('new', 'registries.yaml'),
      '--state-dir',
      directory.join('state'),
    ];
    await setup(...fresh, '--apply', '--no-verify');
    assert.deepEqual(parse(await readFile(directory.join('new', 'registries.yaml'), 'utf8')), {
      mirrors: { 'docker.io': { endpoint: [ours] } },
    });
    await setup(...fresh, '--undo');
    await assert.rejects(readdir(directory.join('new')), { code: 'ENOENT' });
  });

  test('configuration of other clients is printed', async () => {
    const talos = parse((await setup('talos', '--registry', 'ghcr.io')).output) as {
      machine: { registries: { mirrors: object } };
    };
    assert.deepEqual(talos.machine.registries.mirrors, { 'ghcr.io': { endpoints: ['http://127.0.0.1:65001'] } });
    for (const client of printableClients) {
      const { output } = await setup(client, '--proxy', 'http://10.0.0.1:4001');
      assert.match(output, /10\.0\.0\.1/, client);
    }
    assert.match((await setup('s3')).output, /^export AWS_ENDPOINT_URL=http:\/\/127\.0\.0\.1:65004$/m);
    const nydus = (await setup('nydus')).output
      .split('\n')
      .filter((line) => !line.startsWith('#'))
      .join('\n');
    const { output } = await setup('huggingface');
    for (const name of ['SSL_CERT_FILE', 'REQUESTS_CA_BUNDLE'])
      assert.match(output, new RegExp(`^export ${name}=<workHome>/proxy-ca/ca-bundle\\.crt$`, 'm'));
    const { mirrors } = JSON.parse(nydus).device.backend.config;
    assert.equal(mirrors[0].headers['X-Dragonfly-Registry'], 'https://registry-1.docker.io');
    await assert.rejects(setup('unknown'), { code: 'INVALID_ARGUMENT' });
  });

  test('clients that read their environment: a file for shells, by the doors that the daemon has open', async () => {
    await using directory = await temporaryDirectory('df-setup-');
    await using daemon = await startDaemon();
    const file = directory.join('profile.sh');
    const place = ['--proxy', daemon.url, '--config', file, '--state-dir', directory.join('state')];
    await setup('huggingface', ...place, '--apply');
    assert.match(await readFile(file, 'utf8'), new RegExp(`^export HF_ENDPOINT=${daemon.url}/hf$`, 'm'));
    await setup('huggingface', ...place, '--undo');
    await assert.rejects(readFile(file), { code: 'ENOENT' });
    await setup('vllm', ...place, '--apply');
    const vllm = await readFile(file, 'utf8');
    assert.match(vllm, new RegExp(`^export MODELSCOPE_ENDPOINT=${daemon.url}/ms$`, 'm'));
    assert.doesNotMatch(vllm, /AWS_/, 'its door for S3 is closed');
    await assert.rejects(setup('s3', ...place, '--apply'), { code: 'FAILED_PRECONDITION' });
    await assert.rejects(setup('juicefs', ...place, '--apply'), { code: 'INVALID_ARGUMENT' });
  });

  test('with --hold it stays, and puts the files back when it is asked to end', async () => {
    await using directory = await temporaryDirectory('df-setup-');
    const config = directory.join('config.toml');
    const original = 'version = 2\n';
    await writeFile(config, original);
    const ending = new AbortController();
    const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
    const work = runSetup(
      [
        'containerd',
        '--apply',
        '--hold',
        '--no-verify',
        '--config',
        config,
        '--hosts-dir',
        directory.join('certs.d'),
      ].concat('--state-dir', directory.join('state')),
      { stdin, stdout, stderr, env: {}, signal: ending.signal },
    );
    await waitFor('the change', async () => (await readFile(config, 'utf8')) !== original);
    await waitFor('the hosts', async () => (await readdir(directory.path)).includes('certs.d'));
    ending.abort();
    assert.equal(await work, 0);
    assert.equal(await readFile(config, 'utf8'), original);
    assert.deepEqual((await readdir(directory.path)).sort(), ['config.toml', 'state']);
  });
});
