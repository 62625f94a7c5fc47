import { nodePlatform } from '../../src/node/platform.ts';
import type { Platform } from '../../src/runtime/platform.ts';

/** Where in WebGPU a device dies: right after a call of this kind. */
export type Moment = 'pipeline' | 'buffer' | 'write' | 'bind' | 'submit' | 'map' | 'query';

type Method = (...args: never[]) => unknown;

function after<T extends object>(object: T, name: keyof T & string, then: () => void): void {
  const method = (object[name] as Method).bind(object);
  Object.defineProperty(object, name, {
    configurable: true,
    value: (...args: never[]) => {
      const result = method(...args);
      then();
      return result;
    },
  });
}

/** Destroys the device after so many more calls of a kind. */
export function loseAt(device: GPUDevice, moment: Moment, calls = 1): void {
  let left = calls;
  const count = () => {
    if (--left === 0) device.destroy();
  };
  const { queue } = device;
  const names = {
    pipeline: () => after(device, 'createComputePipelineAsync', count),
    buffer: () => after(device, 'createBuffer', count),
    bind: () => after(device, 'createBindGroup', count),
    query: () => after(device, 'createQuerySet', count),
    write: () => after(queue, 'writeBuffer', count),
    submit: () => after(queue, 'submit', count),
    map() {
      const create = device.createBuffer.bind(device);
      device.createBuffer = (descriptor) => {
        const buffer = create(descriptor);
        after(buffer, 'mapAsync', count);
        return buffer;
      };
    },
  };
  names[moment]();
}

/** Node's platform, told of every device that it opens. */
export function watchDevices(onDevice: (device: GPUDevice) => void): Platform {
  return {
    ...nodePlatform,
    async requestAdapter() {
      const adapter = await nodePlatform.requestAdapter();
      const request = adapter!.requestDevice.bind(adapter);
      adapter!.requestDevice = async (descriptor) => {
        const device = await request(descriptor);
        onDevice(device);
        return device;
      };
      return adapter;
    },
  };
}
