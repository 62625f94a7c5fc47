/** A URL relative to the page, in its workers to their script. */
export function pageUrl(url: string | URL): URL {
  return new URL(url, globalThis.document?.baseURI ?? globalThis.location?.href);
}
