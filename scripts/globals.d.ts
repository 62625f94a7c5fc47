// Every global that the package's types speak of, as the compiler knows it where it knows it: by its DOM library, by
// @webgpu/types or @types/node. Where it does not, as little of it as tells it from other things; `never` where there can be
// no such thing. scripts/build-types.mjs puts it into dist/ and imports it where it is needed.

type Class<Name extends string, Otherwise> =
  typeof globalThis extends Record<Name, { prototype: infer Instance }> ? Instance : Otherwise;
type GpuObject = { readonly label: string };

export type AbortSignal = Class<
  'AbortSignal',
  { readonly aborted: boolean; readonly reason: unknown; throwIfAborted(): void }
>;
export type Blob = Class<'Blob', { readonly size: number; readonly type: string; arrayBuffer(): Promise<ArrayBuffer> }>;
export type URL = Class<'URL', { readonly href: string; readonly protocol: string }>;
export type Event = Class<'Event', { readonly type: string }>;
export type CustomEvent<Detail> = Omit<Class<'CustomEvent', Event>, 'detail'> & { readonly detail: Detail };
export type EventTarget = Class<
  'EventTarget',
  {
    addEventListener(type: string, listener: unknown, options?: object | boolean): void;
    removeEventListener(type: string, listener: unknown, options?: object | boolean): void;
    dispatchEvent(event: Event): boolean;
  }
>;
export declare const EventTarget: new () => EventTarget;
export declare const fetch: typeof globalThis extends { fetch: infer Fetch }
  ? Fetch
  : (input: string | URL, init?: object) => Promise<unknown>;

export type Cache = Class<'Cache', object>;
export type CacheStorage = Class<'CacheStorage', { open(name: string): Promise<Cache> }>;
export type Worker = Class<'Worker', { postMessage(message: unknown): void; terminate(): void }>;
export type MediaStream = Class<'MediaStream', never>;
export type MediaStreamTrack = Class<'MediaStreamTrack', never>;
export type HTMLCanvasElement = Class<'HTMLCanvasElement', never>;
export type HTMLImageElement = Class<'HTMLImageElement', never>;
export type HTMLVideoElement = Class<'HTMLVideoElement', never>;
export type ImageBitmap = Class<'ImageBitmap', never>;
export type ImageData = Class<'ImageData', never>;
export type OffscreenCanvas = Class<'OffscreenCanvas', never>;
export type VideoFrame = Class<'VideoFrame', never>;
export type CanvasRenderingContext2D = Class<'CanvasRenderingContext2D', never>;
export type OffscreenCanvasRenderingContext2D = Class<'OffscreenCanvasRenderingContext2D', never>;

export type GPUAdapter = Class<'GPUAdapter', object>;
export type GPUAdapterInfo = Class<
  'GPUAdapterInfo',
  { readonly vendor: string; readonly architecture: string; readonly device: string; readonly description: string }
>;
export type GPUBuffer = Class<'GPUBuffer', GpuObject & { destroy(): void }>;
export type GPUCommandBuffer = Class<'GPUCommandBuffer', GpuObject>;
export type GPUCommandEncoder = Class<'GPUCommandEncoder', GpuObject>;
export type GPUComputePipeline = Class<'GPUComputePipeline', GpuObject>;
export type GPUDevice = Class<'GPUDevice', GpuObject & { readonly lost: Promise<unknown>; destroy(): void }>;
export type GPUTexture = Class<'GPUTexture', GpuObject & { readonly format: string; destroy(): void }>;
