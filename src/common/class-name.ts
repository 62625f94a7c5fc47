/** The name of a platform object's class; unlike instanceof it knows objects of other realms, such as a frame's. */
export function classNameOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice(8, -1);
}
