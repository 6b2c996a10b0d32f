/**
 * What the one executable begins with. It does what the launchers in bin/ do and is called by the same names; the modules of the
 * product, which are inside of it, are loaded as they are asked for.
 */
import { registerHooks } from 'node:module';
import { basename } from 'node:path';
import { getAsset } from 'node:sea';
import { pathToFileURL } from 'node:url';
import { constants, runInThisContext } from 'node:vm';

/** As in bin/dragonfly, which says why. */
const serviceFlags = ['--max-semi-space-size=4', '--heap-growing-percent=50'];
const serviceMmapThreshold = '131072';
const services = ['dfdaemon', 'manager', 'scheduler'];

const setDescriptorFlags = 2; // F_SETFD

/** Of the Node inside; the one whose types we have does not know it yet. */
interface ForeignFunctions {
  dlopen(
    library: null,
    signatures: Readonly<Record<string, { readonly arguments: readonly string[]; readonly return: string }>>,
  ): { readonly functions: Readonly<Record<string, (...values: number[]) => number>> };
}

/** The addresses of the modules inside are those of files, if this one were a directory: `/usr/bin/dragonfly/lib/core/bin.js`. */
const inside = `${pathToFileURL(process.execPath).href}/`;

const [executable = process.execPath, calledAs = '', ...args] = process.argv;
const name = basename(calledAs);

/** V8 and the allocator take these only at the start of a process: it becomes the same program once more, under its number. */
function restartAsService(): void {
  const [flag = ''] = serviceFlags;
  if (process.execve === undefined || process.execArgv.includes(flag)) return;
  keepOpen(Number(args[args.indexOf('--ready-fd') + 1]));
  const env = { ...process.env, MALLOC_MMAP_THRESHOLD_: process.env['MALLOC_MMAP_THRESHOLD_'] ?? serviceMmapThreshold };
  process.execve(process.execPath, [calledAs, `--node-options=${serviceFlags.join(' ')}`, ...args], env);
}

/** Node marks the descriptors it was given to be closed; who started us waits at this one. */
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
  // The import() of this file itself knows only what Node brings along.
  const importModuleDynamically = constants.USE_MAIN_CONTEXT_DEFAULT_LOADER;
  return runInThisContext('(url) => import(url)', { importModuleDynamically }) as (url: string) => Promise<unknown>;
}

if (services.includes(name) || services.includes(args[0] ?? '')) restartAsService();
process.argv = [executable, calledAs, name, ...args];
const load = loadFromInside();
// Before the modules that it instruments.
if (process.env['OTEL_EXPORTER_OTLP_ENDPOINT']) await load(`${inside}lib/core/tracing.js`);
await load(`${inside}lib/core/bin.js`);
