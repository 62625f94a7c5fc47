import { streamResults } from '../../detector/stream.ts';

/** What became of one item. */
export type Outcome<T, R> =
  | { readonly item: T; readonly result: R; readonly error?: undefined }
  | { readonly item: T; readonly result?: undefined; readonly error: unknown };

/** Runs a task for every item, `limit` of them at a time, and yields what became of each, as soon as it can in the items' order. */
export async function* mapConcurrent<T, R>(
  items: AsyncIterable<T> | Iterable<T>,
  limit: number,
  task: (item: T) => Promise<R>,
): AsyncGenerator<Outcome<T, R>> {
  const start = async (item: T): Promise<Outcome<T, R>> => {
    try {
      return { item, result: await task(item) };
    } catch (error) {
      return { item, error };
    }
  };
  for await (const { faces: outcome } of streamResults(items, start, { inFlight: limit })) yield outcome;
}
