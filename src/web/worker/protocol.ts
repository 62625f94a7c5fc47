import {
  DeviceError,
  type DeviceErrorReason,
  DisposedError,
  ImageError,
  ModelError,
  ShapeError,
  UnsupportedOpError,
} from '../../common/errors.ts';
import type { Face } from '../../common/face.ts';
import type { Size } from '../../common/geometry.ts';
import type { AlignOptions, DetectorOptions } from '../../detector/detector.ts';
import type { DetectOptions, Timings } from '../../detector/options.ts';
import type { Progress } from '../../runtime/progress.ts';

/** Options without what cannot be sent. */
type SentOptions<T> = Omit<T, 'signal' | 'onProgress' | 'onTimings' | 'device'>;

/** What a page asks its worker for. Answers carry the same `id`. */
export type Request =
  | {
      readonly id: number;
      readonly kind: 'create';
      readonly model: unknown;
      readonly options: SentOptions<DetectorOptions>;
    }
  | {
      readonly id: number;
      readonly kind: 'detectBatch';
      /** In forms that can be sent; what the worker gets is its own. */
      readonly images: readonly unknown[];
      readonly options: SentOptions<DetectOptions>;
      /** Whether GPU times are wanted. */
      readonly timed: boolean;
    }
  | {
      readonly id: number;
      readonly kind: 'alignFaces';
      readonly image: unknown;
      readonly faces: readonly Pick<Face, 'keypoints'>[];
      readonly options: SentOptions<AlignOptions>;
    }
  | { readonly id: number; readonly kind: 'identify' | 'dispose' | 'abort' };

/** What is known of a detector once it is made. */
export interface Created {
  readonly inputSize: Size | 'image';
  readonly fixedInputSize: Size | null;
  readonly keypointCount: number;
}

/** What a worker says. */
export type Message =
  | { readonly id: number; readonly kind: 'result'; readonly value: unknown }
  | { readonly id: number; readonly kind: 'error'; readonly error: SentError }
  | { readonly id: number; readonly kind: 'progress'; readonly progress: Progress }
  | { readonly id: number; readonly kind: 'timings'; readonly timings: Timings }
  | { readonly kind: 'devicelost'; readonly error: SentError }
  | { readonly kind: 'devicerestored' };

/** An error without its class, which does not cross threads. */
interface SentError {
  readonly name: string;
  readonly message: string;
  readonly reason?: DeviceErrorReason;
  readonly node?: string;
  readonly op?: string;
}

export function sendError(error: unknown): SentError {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error) };
  const { name, message } = error;
  if (error instanceof DeviceError) return { name, message, reason: error.reason };
  if (error instanceof UnsupportedOpError) return { name, message, node: error.node, op: error.op };
  return { name, message };
}

const PLAIN = { ModelError, ShapeError, ImageError, DisposedError, TypeError, RangeError } as const;

/** Makes the error again, of its class. */
export function receiveError({ name, message, reason, node, op }: SentError): Error {
  if (reason !== undefined) return new DeviceError(reason, message);
  if (node !== undefined && op !== undefined) {
    return new UnsupportedOpError(node, op, message.slice(`${node}: ${op} `.length));
  }
  const Class = Object.hasOwn(PLAIN, name) ? PLAIN[name as keyof typeof PLAIN] : Error;
  const error = new Class(message);
  if (error.name !== name) error.name = name;
  return error;
}
