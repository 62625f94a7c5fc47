import { type Dispatch, dispatchOf, type Launch } from '../dispatch.ts';
import { type ShaderName, shaders } from './shaders.gen.ts';

/**
 * A launch of the kernel whose shader in shaders/video/ has this name.
 * @throws Error where the shader has no line for one of `consts`
 */
export function dispatch(kernel: ShaderName, launch: Launch): Dispatch {
  return dispatchOf(kernel, shaders[kernel], launch);
}
