import { DeviceError, ImageError, ModelError } from 'scrfd-webgpu';

/** What went wrong and what to do about it, for people who look at pictures. */
export function explain(error: unknown): string {
  if (error instanceof DeviceError) {
    if (error.reason === 'no-adapter') return error.message.replace('no WebGPU adapter found. ', '');
    if (error.reason === 'lost') return 'The GPU went away. The next picture starts it again.';
    return `The GPU cannot do this: ${error.message}`;
  }
  if (error instanceof ModelError) return `This model does not work: ${error.message}`;
  if (error instanceof ImageError) return `This picture does not open: ${error.message}`;
  if (error instanceof DOMException) {
    switch (error.name) {
      case 'NotAllowedError':
        return 'The camera is blocked. Allow it in the address bar, then press Webcam again.';
      case 'NotFoundError':
        return 'There is no camera on this device.';
      case 'NotReadableError':
        return 'The camera is in use by another program.';
    }
  }
  return error instanceof Error ? error.message : String(error);
}
