/** `haltex ui`: serves the built web app to this machine's browsers, and nothing else to nobody else. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ExitCode, InputError } from './errors.ts';

/** The same each time, so that what the browser keeps for the page is found again. */
export const UI_PORT = 4258;
const HOST = '127.0.0.1';

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
};

/** As the page says itself; here its workers' own scripts are told too. */
const POLICY =
  "default-src 'none'; script-src 'self' blob: 'wasm-unsafe-eval'; worker-src 'self' blob:; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** Where `npm run build` leaves the web app. */
const built = () =>
  fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? '../../dist/web/' : '../web/', import.meta.url));

export async function runUi(port: string | undefined): Promise<number> {
  const wanted = port === undefined ? undefined : parsePort(port);
  const server = serve(built());
  const address = await listen(server, wanted);
  process.stdout.write(`haltex is at http://localhost:${address.port}/ (Ctrl-C ends it)\n`);
  await new Promise<void>((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
  server.close();
  server.closeAllConnections();
  return ExitCode.clean;
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^[0-9]{1,5}$/.test(text) || port > 65_535) {
    throw new InputError(`--port ${text}: give a number up to 65535, 0 for any that is free.`);
  }
  return port;
}

/**
 * A server of the folder's files as they are now, each under its exact path: what is not in the list is not there, however it is
 * written.
 */
export function serve(folder: string): Server {
  const files = listed(folder);
  return createServer(({ method, url = '/', headers }, response) => {
    const refuse = (status: number, text: string) => {
      response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(`${text}\n`);
    };
    // A name that only resolves to this machine belongs to somebody else's page.
    const host = (headers.host ?? '').replace(/:[0-9]+$/, '');
    if (host !== 'localhost' && host !== HOST) return refuse(403, 'haltex answers to localhost only.');
    if (method !== 'GET' && method !== 'HEAD') return refuse(405, 'haltex serves files and takes none.');
    const path = url.replace(/[?#].*$/s, '');
    const file = files.get(path === '/' ? '/index.html' : path);
    if (file === undefined) return refuse(404, 'There is no such file.');
    const body = readFileSync(file);
    response.writeHead(200, {
      'content-type': types[extname(file)] ?? 'application/octet-stream',
      'content-length': body.length,
      'content-security-policy': POLICY,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cache-control': path.startsWith('/assets/') ? 'max-age=31536000, immutable' : 'no-cache',
    });
    response.end(method === 'HEAD' ? undefined : body);
  });
}

function listed(folder: string): Map<string, string> {
  if (statSync(join(folder, 'index.html'), { throwIfNoEntry: false }) === undefined) {
    throw new InputError('the web app is not built here; «npm run build» builds it.');
  }
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(
    files.map(({ parentPath, name }) => {
      const file = join(parentPath, name);
      return [`/${relative(folder, file).split(sep).join('/')}`, file];
    }),
  );
}

/** Listens on this machine only; on any free port where the usual one is taken and none was asked for. */
function listen(server: Server, port: number | undefined): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('listening', () => resolve(server.address() as AddressInfo));
    server.on('error', (error: NodeJS.ErrnoException) => {
      if (port === undefined && error.code === 'EADDRINUSE') server.listen(0, HOST);
      else reject(new InputError(`--port ${port}: it cannot be listened on (${error.code}); give another.`));
    });
    server.listen(port ?? UI_PORT, HOST);
  });
}
