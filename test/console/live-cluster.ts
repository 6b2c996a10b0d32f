/** A whole cluster of processes, an origin that waits on request, and visitors who are signed in as root. */
import { LocalCluster } from '../../src/cli/up/cluster.ts';
import { downloadOnNode } from '../../src/cli/up/download.ts';
import { Channels } from '../../src/rpc/channels.ts';
import { RestClient } from '../manager/support/rest-client.ts';
import { HttpOrigin } from '../support/http-origin.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { launchBrowser, Visitor, type VisitorOptions } from './browser.ts';
import { buildConsole } from '../../scripts/build-console.ts';

const rootPassword = 'correct-horse';
const downloadDeadlineMs = 120_000;

export interface LiveCluster extends AsyncDisposable {
  readonly cluster: LocalCluster;
  readonly origin: HttpOrigin;
  visit(options?: VisitorOptions): Promise<Visitor>;
  /** Every peer, not the seed, gets it; all at once. */
  downloadOnPeers(url: string): Promise<void>;
  /** The API, as root. */
  rest(): Promise<RestClient>;
}

export async function startLiveCluster(): Promise<LiveCluster> {
  await buildConsole();
  await using starting = new AsyncDisposableStack();
  const browser = await launchBrowser();
  starting.defer(() => browser.close());
  const temporary = starting.use(await temporaryDirectory('df-console-'));
  const origin = starting.use(await HttpOrigin.start());
  // What the services inherit: the only way to know root's first password without reading logs.
  process.env['DRAGONFLY_INITIAL_ROOT_PASSWORD'] = rootPassword;
  const cluster = starting.use(await LocalCluster.start({ directory: temporary.path, peers: 3 }));
  const channels = starting.use(new Channels());
  const owned = starting.move();
  const address = (): string => cluster.node('manager').process.address('rest');
  return {
    cluster,
    origin,
    visit: async (options) => {
      const visitor = await Visitor.open(browser, `http://${address()}/`, options);
      await visitor.signIn('root', rootPassword);
      return visitor;
    },
    downloadOnPeers: async (url) => {
      const options = { url, channels, signal: AbortSignal.timeout(downloadDeadlineMs), onProgress: () => undefined };
      await Promise.all(cluster.peers.map((node) => downloadOnNode(node, options)));
    },
    rest: () => new RestClient(Number(address().split(':').at(-1))).signIn('root', rootPassword),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
