/** Managers of packages, each with an index of its own at the origin. */
import { createHash } from 'node:crypto';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeRandomFile } from '../../../test/support/random-file.ts';
import { execute, mebibyte, sha256Of, type Client, type ClientLab } from './lab.ts';

export function packageClients(lab: ClientLab): Client[] {
  return [apt(lab), pip(lab), npm(lab)];
}

function apt(lab: ClientLab): Client {
  return {
    name: 'apt-get update, download',
    program: 'apt-get',
    relay: lab.files,
    bytes: 8 * mebibyte,
    prepare: async () => {
      const version = lab.nextNumber();
      const name = `apt${version}`;
      const root = join(lab.nginx.root, name);
      const tree = lab.directory.join(name);
      await mkdir(join(tree, 'DEBIAN'), { recursive: true });
      await mkdir(root, { recursive: true });
      await chmod(join(tree, 'DEBIAN'), 0o755);
      await makeRandomFile(join(tree, name), 8 * mebibyte);
      const control = `Package: tried\nVersion: ${version}\nArchitecture: all\nMaintainer: t <t@example.test>\nDescription: tried\n`;
      await writeFile(join(tree, 'DEBIAN/control'), control);
      const deb = join(root, `tried_${version}_all.deb`);
      await execute('dpkg-deb', ['-b', '-Znone', tree, deb]);
      const content = await readFile(deb);
      const sha256 = sha256Of(content);
      const place = `Filename: ./tried_${version}_all.deb\nSize: ${content.length}\nSHA256: ${sha256}\n`;
      await writeFile(join(root, 'Packages'), `${control}${place}`);
      return async ({ directory: own, proxy }) => {
        await mkdir(join(own, 'lists/partial'), { recursive: true });
        await mkdir(join(own, 'cache/archives/partial'), { recursive: true });
        await writeFile(join(own, 'sources'), `deb [trusted=yes] ${lab.files.url}/${name} ./\n`);
        await writeFile(join(own, 'status'), '');
        const places = { 'Dir::State': own, 'Dir::State::Lists': join(own, 'lists'), 'Dir::Cache': join(own, 'cache') };
        const more = { 'Dir::State::status': join(own, 'status'), 'Dir::Etc::sourcelist': join(own, 'sources') };
        const last = {
          'Dir::Etc::sourceparts': '-',
          'Acquire::http::Proxy': proxy || 'false',
          'APT::Sandbox::User': 'root',
        };
        const options = Object.entries({ ...places, ...more, ...last }).flatMap(([key, value]) => [
          '-o',
          `${key}=${value}`,
        ]);
        await execute('apt-get', [...options, 'update', '-q']);
        await execute('apt-get', [...options, 'download', 'tried'], { cwd: own });
        return { path: join(own, `tried_${version}_all.deb`), sha256 };
      };
    },
  };
}

function pip(lab: ClientLab): Client {
  return {
    name: 'pip download',
    program: 'pip3',
    relay: lab.files,
    bytes: 8 * mebibyte,
    prepare: async () => {
      const version = lab.nextNumber();
      const file = `tried-${version}-py3-none-any.whl`;
      const root = join(lab.nginx.root, `simple${version}/tried`);
      await mkdir(root, { recursive: true });
      const script =
        'import zipfile, os, sys\nz = zipfile.ZipFile(sys.argv[1], "w")\nv = sys.argv[2]; d = f"tried-{v}.dist-info/"\n' +
        'z.writestr("tried.bin", os.urandom(8*2**20)); z.writestr(d + "METADATA", f"Metadata-Version: 2.1\\nName: tried\\nVersion: {v}\\n")\n' +
        'z.writestr(d + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"); z.writestr(d + "RECORD", ""); z.close()';
      await execute('python3', ['-c', script, join(root, file), String(version)]);
      const sha256 = sha256Of(await readFile(join(root, file)));
      await writeFile(join(root, 'index.html'), `<a href="${file}#sha256=${sha256}">${file}</a>`);
      const host = lab.files.host.split(':')[0] ?? '';
      return async ({ directory: own, env }) => {
        const index = ['--index-url', `${lab.files.url}/simple${version}`, '--trusted-host', host];
        await execute('pip3', ['download', '-q', '--no-deps', '--no-cache-dir', ...index, '-d', own, 'tried'], { env });
        return { path: join(own, file), sha256 };
      };
    },
  };
}

function npm(lab: ClientLab): Client {
  return {
    name: 'npm install',
    program: 'npm',
    relay: lab.files,
    bytes: 8 * mebibyte,
    prepare: async () => {
      const number = lab.nextNumber();
      const version = `1.0.${number}`;
      const name = `tried${number}`;
      const tree = lab.directory.join(name);
      await mkdir(join(tree, 'package'), { recursive: true });
      const { sha256 } = await makeRandomFile(join(tree, 'package', name), 8 * mebibyte);
      await writeFile(join(tree, 'package/package.json'), JSON.stringify({ name, version }));
      await mkdir(join(lab.nginx.root, 'npm'), { recursive: true });
      const tarball = join(lab.nginx.root, `npm/${name}.tgz`);
      await execute('tar', ['-C', tree, '-czf', tarball, 'package']);
      const integrity = `sha512-${createHash('sha512')
        .update(await readFile(tarball))
        .digest('base64')}`;
      const dist = { tarball: `${lab.files.url}/npm/${name}.tgz`, integrity };
      const document = { name, 'dist-tags': { latest: version }, versions: { [version]: { name, version, dist } } };
      await writeFile(join(lab.nginx.root, name), JSON.stringify(document));
      return async ({ directory: own, env, proxy }) => {
        await writeFile(join(own, 'package.json'), '{"name":"own","version":"1.0.0"}');
        const options = [`--registry=${lab.files.url}`, `--cache=${join(own, 'cache')}`, '--no-audit', '--no-fund'];
        if (proxy) options.push(`--proxy=${proxy}`);
        await execute('npm', ['install', '--silent', ...options, name], { cwd: own, env });
        return { path: join(own, 'node_modules', name, name), sha256 };
      };
    },
  };
}
