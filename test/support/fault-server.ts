import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Handler = (request: IncomingMessage, response: ServerResponse, attempt: number) => void;

/** A server on this machine that serves each path as a test says, and counts. */
export class FaultServer {
  readonly #routes = new Map<string, Handler>();
  readonly #attempts = new Map<string, number>();
  /** Body bytes written by `sendFile`. */
  served = 0;
  requests: string[] = [];
  #origin = '';
  readonly #server = createServer((request, response) => {
    const path = request.url ?? '';
    const attempt = (this.#attempts.get(path) ?? 0) + 1;
    this.#attempts.set(path, attempt);
    this.requests.push(`${request.method} ${path} ${request.headers.range ?? ''}`.trim());
    const handler = this.#routes.get(path);
    if (handler) handler(request, response, attempt);
    else response.writeHead(404).end();
  });

  async start(): Promise<void> {
    await new Promise<void>((listening) => this.#server.listen(0, '127.0.0.1', listening));
    this.#origin = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  get origin(): string {
    return this.#origin;
  }

  /** Serves a path; answers its URL. */
  on(path: string, handler: Handler): string {
    this.#routes.set(path, handler);
    this.#attempts.delete(path);
    return `${this.#origin}${path}`;
  }

  /** Serves bytes whole. */
  whole(path: string, bytes: Uint8Array, headers: Record<string, string> = {}): string {
    return this.on(path, (_, response) => {
      this.served += bytes.byteLength;
      response.writeHead(200, { 'content-length': bytes.byteLength, ...headers }).end(bytes);
    });
  }

  /** Serves bytes with ranges; the first `cuts` answers end after `cutAt` bytes. */
  ranged(path: string, bytes: Uint8Array, { etag = '"1"', cuts = 0, cutAt = 0 } = {}): string {
    return this.on(path, (request, response, attempt) => {
      const [, first = '0', last = ''] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
      const start = Number(first);
      const end = last === '' ? bytes.byteLength : Math.min(Number(last) + 1, bytes.byteLength);
      if (start >= bytes.byteLength) return response.writeHead(416).end();
      const body = bytes.subarray(start, end);
      const headers = { 'content-length': body.byteLength, etag };
      if (request.headers.range === undefined) response.writeHead(200, headers);
      else {
        response.writeHead(206, { ...headers, 'content-range': `bytes ${start}-${end - 1}/${bytes.byteLength}` });
      }
      if (attempt > cuts) {
        this.served += body.byteLength;
        response.end(body);
      } else cut(response, body.subarray(0, cutAt));
    });
  }
}

/** Sends bytes, then drops the connection. */
export function cut(response: ServerResponse, bytes: Uint8Array): void {
  response.write(bytes, () => setTimeout(() => response.destroy(), 20));
}
