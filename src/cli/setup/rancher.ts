/**
 * k3s and RKE2: `registries.yaml`, from which they write the configuration of their containerd at every start. Mirrors there
 * have no headers; containerd itself tells which registry it means (`ns`). One entry for each registry: with one for all of
 * them (`*`) several releases forget the way to the registry itself.
 */
import { isMap, parseDocument, type Document } from 'yaml';
import { DragonflyError } from '../../core/errors.ts';
import { readOrUndefined } from './journal.ts';
import type { SetupPlan } from './plan.ts';
import type { SetupRegistry } from './registry.ts';

export interface RancherOptions {
  readonly engine: 'k3s' | 'rke2';
  readonly proxyUrl: string;
  readonly registries: readonly SetupRegistry[];
  /** registries.yaml. */
  readonly configPath: string;
}

export async function planRancher({ engine, proxyUrl, registries, configPath }: RancherOptions): Promise<SetupPlan> {
  const before = await readOrUndefined(configPath);
  const document = parsed(before ?? '', configPath);
  const added = registries.filter(({ name }) => withMirror(document, name, proxyUrl, configPath));
  const after = String(document);
  return {
    changes: added.length === 0 ? [] : [{ path: configPath, before, after }],
    afterwards: added.length === 0 ? [] : [`Restart it once (containers stay): systemctl restart ${serviceOf(engine)}`],
    registries: registries.map(({ url }) => url),
  };
}

function serviceOf(engine: RancherOptions['engine']): string {
  return engine === 'k3s' ? 'k3s, or k3s-agent' : 'rke2-server, or rke2-agent';
}

/** Everything in the file stays as it is, comments included. */
function parsed(text: string, path: string): Document {
  const document = parseDocument(text);
  const problem = document.errors[0];
  if (!problem && (document.contents === null || isMap(document.contents))) return document;
  throw new DragonflyError('FAILED_PRECONDITION', `${path} is not what it should be: ${problem?.message ?? 'no map'}`, {
    hint: 'Correct the file first.',
  });
}

/** Puts our mirror first. False when it is there already. */
function withMirror(document: Document, name: string, proxyUrl: string, path: string): boolean {
  const place = ['mirrors', name, 'endpoint'];
  const known: unknown = document.getIn(place);
  const endpoints = known === undefined || known === null ? [] : (document.toJS() as Mirrors).mirrors?.[name]?.endpoint;
  if (!Array.isArray(endpoints)) {
    throw new DragonflyError('FAILED_PRECONDITION', `${path} has no list at ${place.join('.')}`, {
      hint: 'Correct the file first.',
    });
  }
  if (endpoints.includes(proxyUrl)) return false;
  for (const upper of [['mirrors'], ['mirrors', name]]) {
    if (document.getIn(upper) === null) document.deleteIn(upper);
  }
  document.setIn(place, document.createNode([proxyUrl, ...(endpoints as unknown[])]));
  return true;
}

interface Mirrors {
  readonly mirrors?: Readonly<Record<string, { readonly endpoint?: unknown } | null | undefined>>;
}
