import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer, type OutgoingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { type Browser, chromium } from 'playwright-core';

const CHROMIUM = '/usr/bin/chromium';

/** Whether scripts/install-chromium.sh has been here. */
export const hasChromium = existsSync(CHROMIUM);

const QUIET =
  '--no-sandbox --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync';
// without Vulkan and ANGLE on SwiftShader, video frames cannot be imported
const WEBGPU = '--enable-unsafe-webgpu --enable-features=Vulkan --use-vulkan=swiftshader --use-angle=swiftshader';

/** Debian's Chromium, headless, with WebGPU on SwiftShader. */
export function launchChromium(extraArgs: readonly string[] = []): Promise<Browser> {
  const args = [...QUIET.split(' '), ...WEBGPU.split(' '), ...extraArgs];
  return chromium.launch({ executablePath: CHROMIUM, args });
}

const TYPES: Readonly<Record<string, string>> = {
  ...{ '.html': 'text/html', '.js': 'text/javascript', '.mjs': 'text/javascript', '.css': 'text/css' },
  ...{ '.json': 'application/json', '.wasm': 'application/wasm', '.svg': 'image/svg+xml' },
  ...{ '.png': 'image/png', '.jpg': 'image/jpeg', '.webp': 'image/webp', '.avif': 'image/avif', '.gif': 'image/gif' },
};

/** A folder, or contents by path below the prefix. */
export type Mount = string | ((path: string) => string | Uint8Array | undefined);

export interface FileServer {
  readonly origin: string;
  close(): Promise<void>;
}

/** A static server on a free port: the longest prefix of `mounts` that fits serves a request. */
export async function serveFiles(
  mounts: Readonly<Record<string, Mount>>,
  { headers = {} }: { readonly headers?: OutgoingHttpHeaders } = {},
): Promise<FileServer> {
  const prefixes = Object.keys(mounts).sort((a, b) => b.length - a.length);
  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(new URL(request.url!, 'http://localhost').pathname);
    const prefix = prefixes.find((each) => path.startsWith(each));
    try {
      const mount = mounts[prefix!]!;
      const rest = normalize(path.slice(prefix!.length)).replace(/^(\.\.(\/|$))+|^\/+/g, '');
      const file = rest === '' || rest === '.' || rest.endsWith('/') ? join(rest, 'index.html') : rest;
      const content = typeof mount === 'string' ? await readFile(join(mount, file)) : mount(file);
      if (content === undefined) throw new Error('no such file');
      const type = TYPES[extname(file)] ?? 'application/octet-stream';
      const length = Buffer.byteLength(content);
      response.writeHead(200, { 'content-type': type, 'content-length': length, ...headers }).end(content);
    } catch {
      response.writeHead(404, headers).end('not found');
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
