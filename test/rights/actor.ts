/** Program: somebody on another machine tries everything; prints what came of it. Its argument is JSON. */
import { ControlKey } from '../../src/rpc/control-key.ts';
import { tryAll, type Actor, type Places } from './actions.ts';

interface Input {
  readonly places: Places;
  readonly actor: Omit<Actor, 'tls' | 'controlKey'>;
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string };
  readonly controlKey?: string;
}

const { places, actor, tls, controlKey } = JSON.parse(process.argv[2] ?? '') as Input;
const results = await tryAll(places, {
  ...actor,
  ...(tls && { tls: { ca: Buffer.from(tls.ca), cert: Buffer.from(tls.cert), key: Buffer.from(tls.key) } }),
  ...(controlKey !== undefined && { controlKey: ControlKey.from(controlKey) }),
});
process.stdout.write(JSON.stringify(results));
