/**
 * Startup of the single executable. It does what the launchers in bin/ do, under the same names; the product's modules,
 * which it contains, are loaded on demand.
 */
import { registerHooks } from 'node:module';
import { basename } from 'node:path';
import { getAsset } from 'node:sea';
import { pathToFileURL } from 'node:url';
import { constants, runInThisContext } from 'node:vm';

/** As in bin/dragonfly, which gives the reasons. */
const serviceFlags = ['--max-semi-space-size=4', '--heap-growing-percent=50'];
const serviceMmapThreshold = '131072';
const services = ['dfdaemon', 'manager', 'scheduler'];

const setDescriptorFlags = 2; // F_SETFD

/** Missing from the types that we have of the bundled Node. */
interface ForeignFunctions {
  dlopen(
    library: null,
    signatures: Readonly<Record<string, { readonly arguments: readonly string[]; readonly return: string }>>,
  ): { readonly functions: Readonly<Record<string, (...values: number[]) => number>> };
}

/** Modules inside have file URLs as if the executable were a directory: `/usr/bin/dragonfly/lib/core/bin.js`. */
const inside = `${pathToFileURL(process.execPath).href}/`;

const [executable = process.execPath, calledAs = '', ...args] = process.argv;
const name = basename(calledAs);

/** V8 and the allocator only read these at process start: the process replaces itself by the same program, keeping its pid. */
function restartAsService(): void {
  const [flag = ''] = serviceFlags;
  if (process.execve === undefined || process.execArgv.includes(flag)) return;
  keepOpen(Number(args[args.indexOf('--ready-fd') + 1]));
  const env = { ...process.env, MALLOC_MMAP_THRESHOLD_: process.env['MALLOC_MMAP_THRESHOLD_'] ?? serviceMmapThreshold };
  process.execve(process.execPath, [calledAs, `--node-options=${serviceFlags.join(' ')}`, ...args], env);
}

/** Node marks inherited descriptors close-on-exec, but the parent process waits on this one. */
function keepOpen(fd: number): void {
  if (!Number.isInteger(fd)) return;
  const ffi = process.getBuiltinModule('node:ffi') as ForeignFunctions | undefined;
  const parameters = ['i32', 'i32', 'i32'];
  ffi
    ?.dlopen(null, { fcntl: { arguments: parameters, return: 'i32' } })
    .functions['fcntl']?.(fd, setDescriptorFlags, 0);
}

function loadFromInside(): (url: string) => Promise<unknown> {
  registerHooks({
    resolve(specifier, context, next) {
      const ours = specifier.startsWith('.')
        ? context.parentURL?.startsWith(inside) === true
        : specifier.startsWith(inside);
      if (!ours) return next(specifier, context);
      return { url: new URL(specifier, context.parentURL).href, format: 'module', shortCircuit: true };
    },
    load(url, context, next) {
      if (!url.startsWith(inside)) return next(url, context);
      return { format: 'module', source: getAsset(url.slice(inside.length), 'utf8'), shortCircuit: true };
    },
  });
  // import() in this file can only load Node's own modules.
  const importModuleDynamically = constants.USE_MAIN_CONTEXT_DEFAULT_LOADER;
  return runInThisContext('(url) => import(url)', { importModuleDynamically }) as (url: string) => Promise<unknown>;
}

if (services.includes(name) || services.includes(args[0] ?? '')) restartAsService();
process.argv = [executable, calledAs, name, ...args];
const load = loadFromInside();
// before the modules that it instruments
if (process.env['OTEL_EXPORTER_OTLP_ENDPOINT']) await load(`${inside}lib/core/tracing.js`);
await load(`${inside}lib/core/bin.js`);
