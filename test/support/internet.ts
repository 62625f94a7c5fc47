import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** What a host answers to a path; undefined is a 404. */
export type Host = (path: string, accept: string) => Promise<Response | undefined>;

export interface Internet {
  /** Of its hosts. */
  readonly names: readonly string[];
  /** The address that the hosts' names are to have. */
  readonly address: string;
  /** The certificate that makes them the hosts that they say they are. */
  readonly certificate: string;
  /** `host/path` of every request. */
  readonly requests: readonly string[];
  close(): Promise<void>;
}

/**
 * Hosts of the Internet, on this machine: HTTPS, on a loopback address that nothing else listens at. Port 443 is root's.
 * @param folder where the certificate is put
 */
export async function serveInternet(folder: string, hosts: Readonly<Record<string, Host>>): Promise<Internet> {
  const address = '127.0.0.43';
  const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
  const names = Object.keys(hosts);
  const subject = ['-subj', '/CN=scrfd-webgpu', '-addext', `subjectAltName=${names.map((name) => `DNS:${name}`)}`];
  const files = ['-keyout', key, '-out', certificate];
  await run('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', ...subject, ...files]);
  const requests: string[] = [];
  const server = createServer(
    { key: readFileSync(key), cert: readFileSync(certificate) },
    async ({ headers, url }, response) => {
      requests.push(`${headers.host}${url}`);
      try {
        const answer = await hosts[headers.host!]?.(url!, headers.accept ?? '');
        if (!answer) return response.writeHead(404).end();
        const type = answer.headers.get('content-type') ?? 'application/octet-stream';
        const body = Buffer.from(await answer.arrayBuffer());
        response.writeHead(answer.status, { 'content-type': type, 'content-length': body.length }).end(body);
      } catch (error) {
        response.writeHead(502).end(String(error));
      }
    },
  );
  await once(server.listen(443, address), 'listening');
  return {
    ...{ names, address, certificate, requests },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** npm's registry as this machine knows it, and in it the packed package. */
export async function npmRegistry(tarball: string, manifest: { name: string; version: string }): Promise<Host> {
  const { stdout: upstream } = await run('npm', ['config', 'get', 'registry']);
  const { name, version } = manifest;
  const file = `https://registry.npmjs.org/${name}/-/${name}-${version}.tgz`;
  const about = {
    name,
    'dist-tags': { latest: version },
    versions: { [version]: { ...manifest, dist: { tarball: file } } },
  };
  return async (path, accept) => {
    if (path === `/${name}`) return Response.json(about);
    if (path === new URL(file).pathname) return new Response(readFileSync(tarball));
    return fetch(new URL(path.slice(1), upstream.trim()), { headers: { accept } });
  };
}
