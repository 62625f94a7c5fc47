/** What all of them give, once all have ended. @throws what the first of them in this order rejects with, not the first in time */
export async function settleAll<T extends readonly unknown[]>(
  promises: readonly [...T],
): Promise<{ [K in keyof T]: Awaited<T[K]> }> {
  const results = await Promise.allSettled(promises);
  const values = results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
  return values as { [K in keyof T]: Awaited<T[K]> };
}
