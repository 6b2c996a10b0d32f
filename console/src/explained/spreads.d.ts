/** Made of the simulator when the console is built; see vite.config.ts. */
declare module 'virtual:spreads' {
  export interface Spread {
    readonly arm: 'tree' | 'dag' | 'ours';
    readonly content_length: number;
    /** Time until the last node has everything, over what no way can be faster than. */
    readonly r: number;
    readonly piece_length: number;
    readonly piece_count: number;
    readonly step_ms: number;
    readonly peers: readonly {
      readonly host_name: string;
      readonly type: 'seed' | 'normal';
      readonly began_ms: number;
      readonly ended_ms: number;
    }[];
    readonly moves: readonly number[];
  }
  const spreads: readonly Spread[];
  export default spreads;
}
