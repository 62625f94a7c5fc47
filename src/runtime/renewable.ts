import { type DeviceError, DisposedError } from '../common/errors.ts';
import { TaskQueue } from '../common/task-queue.ts';
import type { GpuContext } from './gpu-context.ts';

export interface DeviceEventMap {
  /** The GPU device is gone; calls under way reject with this error. */
  devicelost: CustomEvent<DeviceError>;
  /** A new device has taken the lost one's place. */
  devicerestored: CustomEvent<void>;
}

/** What lives on one device; a lost one takes all of it along. */
interface OnDevice {
  readonly context: GpuContext;
  dispose(): Promise<void>;
}

/** What a detector or network has on its device, and has again on another one after a device of its own was lost. */
export class Renewable<T extends OnDevice> {
  readonly #target: EventTarget;
  readonly #open: () => Promise<T>;
  readonly #calls = new TaskQueue(Number.POSITIVE_INFINITY);
  #current: T;
  #reopening: Promise<T> | null = null;
  #disposal: Promise<void> | null = null;

  /** @param target what fires the events of `DeviceEventMap` */
  constructor(target: EventTarget, current: T, open: () => Promise<T>) {
    this.#target = target;
    this.#current = current;
    this.#open = open;
    this.#watch(current);
  }

  get current(): T {
    return this.#current;
  }

  /**
   * Runs what `dispose` then waits for.
   * @throws DisposedError, `signal.reason` when aborted, and DeviceError when there is no device
   */
  async call<R>(signal: AbortSignal | undefined, task: () => Promise<R>): Promise<R> {
    signal?.throwIfAborted();
    if (this.#disposal) throw new DisposedError('this detector or network has been disposed');
    const result = await this.#calls.run(async () => {
      // before anything is read in vain
      await this.usable();
      return task();
    });
    signal?.throwIfAborted();
    return result;
  }

  /** The current one, or another one on a new device when the device was lost. @throws DeviceError */
  async usable(): Promise<T> {
    const { context } = this.#current;
    if (!context.isReplaceable) {
      context.assertUsable();
      return this.#current;
    }
    this.#reopening ??= this.#reopen().finally(() => {
      this.#reopening = null;
    });
    return this.#reopening;
  }

  async #reopen(): Promise<T> {
    const lost = this.#current;
    const opened = await this.#open();
    await lost.dispose();
    this.#current = opened;
    this.#watch(opened);
    this.#target.dispatchEvent(new CustomEvent('devicerestored'));
    return opened;
  }

  #watch({ context }: T): void {
    context.onLost((error) => {
      if (!this.#disposal) this.#target.dispatchEvent(new CustomEvent('devicelost', { detail: error }));
    });
  }

  /** Frees all GPU memory once the calls under way have ended. Idempotent. */
  dispose(): Promise<void> {
    this.#disposal ??= this.#calls.idle().then(() => this.#current.dispose());
    return this.#disposal;
  }
}
