/** Of the items that arrive while the reader is busy only the last is kept, so that an outdated version is never fetched. */
export async function* newest<T>(source: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
  let latest: { readonly value: T } | undefined;
  let ended = false;
  let failure: { readonly error: unknown } | undefined;
  let wake = (): void => undefined;
  const iterator = source[Symbol.asyncIterator]();
  const read = async (): Promise<void> => {
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
      latest = { value: next.value };
      wake();
    }
  };
  const reading = read()
    .catch((error: unknown) => (failure = { error }))
    .finally(() => {
      ended = true;
      wake();
    });
  try {
    for (;;) {
      const taken = latest;
      latest = undefined;
      if (taken) yield taken.value;
      else if (ended) break;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
    if (failure) throw failure.error;
  } finally {
    void iterator.return?.(undefined);
    void reading;
  }
}
