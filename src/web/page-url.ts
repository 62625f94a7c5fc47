/** Resolves a URL, relative ones from the page or, in a worker, from its script. */
export function pageUrl(url: string | URL): URL {
  return new URL(url, globalThis.document?.baseURI ?? globalThis.location?.href);
}
