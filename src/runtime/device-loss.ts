import { DeviceError } from '../common/errors.ts';

type OnLost = (error: DeviceError) => void;

const LOSSES = new WeakMap<GPUDevice, DeviceLoss>();

/**
 * Whether a device is lost. One watches it for all who share it: what waits for `device.lost` itself lives as long as the
 * device, which may outlive many that have borrowed it.
 */
export class DeviceLoss {
  readonly #listeners = new Set<OnLost>();
  #error: DeviceError | null = null;

  private constructor(device: GPUDevice) {
    void device.lost.then(({ reason, message }) => {
      const error = new DeviceError('lost', `the GPU device was lost (${reason}): ${message}`);
      this.#error = error;
      for (const listener of this.#listeners) listener(error);
      this.#listeners.clear();
    });
  }

  static of(device: GPUDevice): DeviceLoss {
    const known = LOSSES.get(device) ?? new DeviceLoss(device);
    LOSSES.set(device, known);
    return known;
  }

  /** What calls under way reject with; null while the device lives. */
  get error(): DeviceError | null {
    return this.#error;
  }

  /** Calls a listener once, when the device is lost. @returns what makes it forget the listener */
  listen(listener: OnLost): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
