/** An EventTarget whose listeners know the events they get. `Events` maps types of events to their classes. */
export class TypedEventTarget<Events extends { [Type in keyof Events]: Event }> extends EventTarget {
  override addEventListener<K extends keyof Events & string>(
    type: K,
    listener: ((event: Events[K]) => void) | { handleEvent(event: Events[K]): void } | null,
    options?: Parameters<EventTarget['addEventListener']>[2],
  ): void {
    super.addEventListener(type, listener as EventListener | null, options);
  }
}
