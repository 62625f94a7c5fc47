// Brings frames of a video to where the letterbox reads them, copied and imported in turn, in one page.
import { median, quantile } from '../../src/cli/bench/statistics.ts';
import { importFrame } from '../../src/kernels/video/import-frame.ts';

const WARM_UPS = 5;

export interface Way {
  readonly name: 'copied' | 'imported';
  /** Until the commands are submitted. */
  readonly cpuMs: number;
  /** Until the GPU has done them. */
  readonly wallMs: { readonly median: number; readonly p10: number; readonly p90: number };
}

export interface Results {
  readonly adapter: string;
  readonly userAgent: string;
  readonly size: readonly [width: number, height: number];
  /** Of the last frame, as `VideoFrame` has it; null where the browser does not tell. */
  readonly format: string | null;
  readonly ways: readonly Way[];
  /** Largest difference of a byte of the same frame by both ways, of 255. */
  readonly difference: number;
}

async function openDevice() {
  const adapter = await navigator.gpu.requestAdapter();
  if (!adapter) throw new Error('this browser has no WebGPU adapter');
  const { vendor, architecture, description } = adapter.info;
  const device = await adapter.requestDevice();
  device.addEventListener('uncapturederror', ({ error }) => console.error(error.message));
  return { device, name: [vendor, architecture, description].filter(Boolean).join(' ') };
}

/** Both ways for frames of a size. */
async function openWays(device: GPUDevice, width: number, height: number) {
  const rowBytes = Math.ceil((width * 4) / 256) * 256;
  const { COPY_SRC, COPY_DST, STORAGE, UNIFORM, MAP_READ } = GPUBufferUsage;
  const create = (size: number, usage: number) => device.createBuffer({ size, usage });
  const [copied, imported] = [0, 1].map(() => create(rowBytes * height, STORAGE | COPY_SRC | COPY_DST)) as [
    GPUBuffer,
    GPUBuffer,
  ];
  const texture = device.createTexture({
    ...{ size: [width, height], format: 'rgba8unorm' },
    usage: GPUTextureUsage.COPY_SRC | GPUTextureUsage.COPY_DST | GPUTextureUsage.RENDER_ATTACHMENT,
  });
  const { source: code, overrides, params, workgroups } = importFrame({ width, height, rowBytes, firstWord: 0 });
  const parameters = create(params.length, UNIFORM | COPY_DST);
  device.queue.writeBuffer(parameters, 0, params);
  const compute = { module: device.createShaderModule({ code }), constants: overrides };
  const pipeline = await device.createComputePipelineAsync({ layout: 'auto', compute });
  const read = async (buffer: GPUBuffer) => {
    const staging = create(buffer.size, MAP_READ | COPY_DST);
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(buffer, 0, staging, 0, buffer.size);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const bytes = new Uint8Array(staging.getMappedRange().slice(0));
    staging.destroy();
    return bytes;
  };
  return {
    copied(source: VideoFrame) {
      device.queue.copyExternalImageToTexture({ source }, { texture }, [width, height]);
      const encoder = device.createCommandEncoder();
      encoder.copyTextureToBuffer({ texture }, { buffer: copied, bytesPerRow: rowBytes }, [width, height]);
      device.queue.submit([encoder.finish()]);
    },
    imported(source: VideoFrame) {
      const resources = [{ buffer: parameters }, device.importExternalTexture({ source }), { buffer: imported }];
      const entries = resources.map((resource, binding) => ({ binding, resource }));
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
      pass.dispatchWorkgroups(...workgroups);
      pass.end();
      device.queue.submit([encoder.finish()]);
    },
    /** Largest difference of a byte between the two. */
    async compare() {
      const [a, b] = await Promise.all([read(copied), read(imported)]);
      // what lies between rows nobody writes
      return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
    },
  };
}

async function play(url: string): Promise<HTMLVideoElement> {
  const video = document.createElement('video');
  Object.assign(video, { src: url, muted: true, loop: true, playsInline: true });
  await video.play();
  return video;
}

/** The frame that the video shows next. */
async function grab(video: HTMLVideoElement): Promise<VideoFrame> {
  await new Promise((resolve) => video.requestVideoFrameCallback(resolve));
  return new VideoFrame(video);
}

/** Measures so many frames of the video each way: one frame, one way. */
async function measureVideo(url: string, frames: number): Promise<Results> {
  const { device, name } = await openDevice();
  const video = await play(url);
  const first = await grab(video);
  const { displayWidth: width, displayHeight: height, format } = first;
  const { compare, ...ways } = await openWays(device, width, height);
  const times = { copied: [] as [number, number][], imported: [] as [number, number][] };
  ways.copied(first);
  ways.imported(first);
  const difference = await compare();
  first.close();
  for (let i = 0; i < 2 * (WARM_UPS + frames); i++) {
    const frame = await grab(video);
    const way = i % 2 === 0 ? 'copied' : 'imported';
    const start = performance.now();
    ways[way](frame);
    const submitted = performance.now();
    await device.queue.onSubmittedWorkDone();
    if (i >= 2 * WARM_UPS) times[way].push([submitted - start, performance.now() - start]);
    frame.close();
  }
  video.pause();
  device.destroy();
  const rows = (['copied', 'imported'] as const).map((way) => {
    const walls = times[way].map(([, wall]) => wall);
    const wallMs = { median: median(walls), p10: quantile(walls, 0.1), p90: quantile(walls, 0.9) };
    return { name: way, cpuMs: median(times[way].map(([cpu]) => cpu)), wallMs };
  });
  return { adapter: name, userAgent: navigator.userAgent, size: [width, height], format, ways: rows, difference };
}

declare global {
  /** For what drives the page. */
  var measureVideoFrames: typeof measureVideo;
}
globalThis.measureVideoFrames = measureVideo;

document.querySelector<HTMLFormElement>('#form')?.addEventListener('submit', async (event) => {
  event.preventDefault();
  const field = (id: string) => document.querySelector<HTMLInputElement>(`#${id}`)!;
  const results = document.querySelector('#results')!;
  results.textContent = 'measuring';
  try {
    const url = URL.createObjectURL(field('video').files![0]!);
    results.textContent = JSON.stringify(await measureVideo(url, field('frames').valueAsNumber), null, 2);
    URL.revokeObjectURL(url);
  } catch (error) {
    results.textContent = String(error);
  }
});
