/**
 * Loads a part of this package that bundles keep in a chunk of its own; the next call asks again for what did not come.
 * @throws Error that says so, and why
 */
export async function loadPart<T>(load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    throw new Error(`a part of scrfd-webgpu could not be loaded: ${(cause as Error).message}`, { cause });
  }
}
