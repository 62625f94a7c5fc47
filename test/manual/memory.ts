/** Counts a device's buffers from now on. @returns how many of them have not been destroyed */
export function countBuffers(device: GPUDevice): () => number {
  const living = new Set<WeakRef<GPUBuffer>>();
  const create = device.createBuffer.bind(device);
  device.createBuffer = (descriptor) => {
    const buffer = create(descriptor);
    const destroy = buffer.destroy.bind(buffer);
    const reference = new WeakRef(buffer);
    living.add(reference);
    buffer.destroy = () => {
      living.delete(reference);
      return destroy();
    };
    return buffer;
  };
  return () => living.size;
}

/** Prints a line of JSON: what is given, and the process's memory in bytes once garbage is collected. Wants `--expose-gc`. */
export async function reportMemory(about: Readonly<Record<string, unknown>>): Promise<void> {
  if (!globalThis.gc) throw new Error('memory: expected node --expose-gc, got node without it');
  for (let i = 0; i < 3; i++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    globalThis.gc();
  }
  const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
  console.log(JSON.stringify({ ...about, rss, heapUsed, arrayBuffers }));
}
