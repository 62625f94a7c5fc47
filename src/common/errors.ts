/** The model file is damaged, inconsistent, or not what the caller asked it to be. */
export class ModelError extends Error {
  override name = 'ModelError';

  constructor(message: string, options?: ErrorOptions) {
    // a file may list millions of dimensions, or name a node by megabytes
    super(message.length > 1000 ? `${message.slice(0, 1000)}…` : message, options);
  }
}

/** A value of the model has another shape than asked for, or does not keep the images of a batch apart. */
export class ShapeError extends ModelError {
  override name = 'ShapeError';
}

/** The model is sound but uses an operator or attribute that has no kernel here. */
export class UnsupportedOpError extends ModelError {
  override name = 'UnsupportedOpError';
  /** Name of the ONNX node. */
  readonly node: string;
  /** Its operator type, for example `LSTM`. */
  readonly op: string;

  constructor(node: string, op: string, detail: string) {
    super(`${node}: ${op} ${detail}`);
    this.node = node;
    this.op = op;
  }
}

export type DeviceErrorReason = 'no-adapter' | 'limits' | 'lost' | 'out-of-memory' | 'shader' | 'driver';

/** WebGPU is missing, too small for the model, or failed while working. */
export class DeviceError extends Error {
  override name = 'DeviceError';
  readonly reason: DeviceErrorReason;

  constructor(reason: DeviceErrorReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** A picture could not be read or decoded. */
export class ImageError extends Error {
  override name = 'ImageError';
}

/** A disposed detector or network was used. */
export class DisposedError extends Error {
  override name = 'DisposedError';
}
