/** Types of tasks by the protocol's number, as metrics name them. */
export const taskTypes: Readonly<Record<number, string>> = {
  0: 'standard',
  1: 'persistent',
  2: 'persistent_cache',
  3: 'cache',
};
