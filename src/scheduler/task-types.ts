/** Types of tasks by the protocol's number, with the names that metrics use. */
export const taskTypes: Readonly<Record<number, string>> = {
  0: 'standard',
  1: 'persistent',
  2: 'persistent_cache',
  3: 'cache',
};
