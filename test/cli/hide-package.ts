/** A module for `node --import` under which the package of this name seems not to be installed. */
export function hidePackage(name: string): string {
  const hook = `export async function resolve(name, context, next) {
    if (name === '${name}') throw Object.assign(new Error('hidden'), { code: 'ERR_MODULE_NOT_FOUND' });
    return next(name, context);
  }`;
  const url = (code: string) => `data:text/javascript,${encodeURIComponent(code)}`;
  return url(`import { register } from 'node:module'; register(${JSON.stringify(url(hook))});`);
}
