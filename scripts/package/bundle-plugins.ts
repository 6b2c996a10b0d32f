/** What makes libraries work whose code is no longer where it was installed. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';
import type { Plugin } from 'rolldown';

const source = (path: string): string => JSON.stringify(fileURLToPath(new URL(`../../${path}`, import.meta.url)));

/** They come as they are: their machine code is a file of its own. */
export const nativeLibraries = ['koffi', '@napi-rs/blake-hash', '@node-rs/bcrypt', '@node-rs/crc32'];

/** Libraries that are loaded on their first use: the bundler understands only the plain word for it. */
export const lazyLibraries: Plugin = {
  name: 'lazy libraries',
  transform(code, id) {
    if (!/\/src\/.*\.ts$/.test(id)) return null;
    return code
      .replace('const require = createRequire(import.meta.url);', '')
      .replaceAll('createRequire(import.meta.url)(', 'require(');
  },
};

/** Files that libraries read at run time become part of their code. */
export const inlineFiles: Plugin = {
  name: 'inline files',
  transform(code, id) {
    if (/\/@grpc\/reflection\/.*\/reflection-v1(?:alpha)?\.js$/.test(id)) {
      const [, path = ''] = /__dirname, '([^']+\.proto)'/.exec(code) ?? [];
      const { root } = protobuf.parse(readFileSync(join(dirname(id), path), 'utf8'), { keepCase: true });
      const parsed = `protoLoader.fromJSON(${JSON.stringify(root.toJSON())}, `;
      return replaced(code, 'protoLoader.loadSync(protoPath, ', parsed).replace('__dirname', "''");
    }
    if (id.endsWith('/@fastify/swagger-ui/index.js')) {
      const logo = readFileSync(join(dirname(id), 'static/logo.svg'), 'base64');
      const read = "await fsPromises.readFile(path.join(__dirname, './static/logo.svg'))";
      return replaced(code, read, `Buffer.from('${logo}', 'base64')`);
    }
    if (id.endsWith('/@fastify/swagger-ui/lib/routes.js')) {
      return replaced(code, "path.join(__dirname, '..', 'static')", "'static'");
    }
    // What else asks for its place does without the file that it looks for there.
    return id.includes('/node_modules/') ? code.replace(/\b__(?:dir|file)name\b/g, "'/nowhere'") : null;
  },
};

/** The gRPC library names IP addresses as servers in TLS; the Node inside the executable refuses to, as RFC 6066 demands. */
export const serverNames: Plugin = {
  name: 'server names',
  transform(code, id) {
    if (!id.endsWith('/@grpc/grpc-js/build/src/channel-credentials.js')) return null;
    const named = (name: string): string => `connectionOptions.servername = ${name};`;
    const hostOrName = (name: string): string =>
      `connectionOptions[require('net').isIP(${name}) ? 'host' : 'servername'] = ${name};`;
    return ['remoteHost', 'sslTargetNameOverride'].reduce(
      (text, name) => replaced(text, named(name), hostOrName(name)),
      code,
    );
  },
};

/** The page of the API is served as the console is: from memory. */
export const swaggerFiles: Plugin = {
  name: 'swagger files',
  resolveId(id, importer) {
    return id === '@fastify/static' && importer?.includes('/@fastify/swagger-ui/') ? '\0swagger-files' : null;
  },
  load(id) {
    if (id !== '\0swagger-files') return null;
    return `
      import { ownFiles } from ${source('src/core/own-files.ts')};
      import { serveFiles } from ${source('src/manager/rest/serve-files.ts')};
      const plugin = (app, { prefix }, done) => {
        app.register(serveFiles, { prefix, files: ownFiles('lib/swagger') });
        done();
      };
      plugin[Symbol.for('skip-override')] = true;
      export { plugin as 'module.exports' };
    `;
  },
};

/** Native libraries come out of the executable. */
export const embedNative: Plugin = {
  name: 'embed native libraries',
  resolveId(id) {
    const [, name, manifest] =
      /^@(?:koromix|napi-rs|node-rs)\/([\w-]+?)-linux-(?:x64|arm64)(?:-gnu)?(\/package\.json)?$/.exec(id) ?? [];
    if (manifest !== undefined) return '\0native-manifest.cjs';
    return name === undefined ? null : `\0native-${name}.cjs`;
  },
  load(id) {
    const name = /^\0native-([\w-]+)\.cjs$/.exec(id)?.[1];
    if (name === undefined) return null;
    // The versions fit: both come from the lock file.
    if (name === 'manifest') return 'module.exports = {};';
    const loader = source('scripts/package/embedded-library.cjs');
    return `module.exports = require(${loader}).embeddedLibrary('${name}');`;
  },
};

/** Throws when a new version of the library has another text. */
function replaced(code: string, before: string, after: string): string {
  if (!code.includes(before)) throw new Error(`the code to be replaced is no longer there: ${before}`);
  return code.replace(before, () => after);
}
