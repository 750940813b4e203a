/** What `haltex ui` serves, and what it does not. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingHttpHeaders, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { InputError } from './errors.ts';
import { runUi, serve } from './ui.ts';

let folder: string;
let server: Server;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'haltex-ui-'));
  mkdirSync(join(folder, 'web/assets'), { recursive: true });
  writeFileSync(join(folder, 'secret.txt'), 'secret');
  writeFileSync(join(folder, 'web/index.html'), 'the page');
  writeFileSync(join(folder, 'web/assets/engine-1.js'), 'the engine');
  server = serve(join(folder, 'web'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

/** The path goes out as it is written here; no client tidies it up. */
function get(path: string, { method = 'GET', host = 'localhost' } = {}) {
  const { port } = server.address() as AddressInfo;
  return new Promise<{ status: number | undefined; text: string; headers: IncomingHttpHeaders }>((resolve, reject) => {
    request({ host: '127.0.0.1', port, path, method, headers: { host: `${host}:${port}` } }, (response) => {
      let text = '';
      response.on('data', (chunk) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode, text, headers: response.headers }));
    })
      .on('error', reject)
      .end();
  });
}

it('serves the page and its files with a policy that lets nothing out', async () => {
  const page = await get('/?x=1');
  expect(page).toMatchObject({ status: 200, text: 'the page' });
  expect(page.headers['content-security-policy']).toContain("connect-src 'self'");
  expect(page.headers['cache-control']).toBe('no-cache');
  const engine = await get('/assets/engine-1.js');
  expect(engine).toMatchObject({ status: 200, text: 'the engine' });
  expect(engine.headers['content-type']).toMatch(/^text\/javascript/);
  expect(await get('/', { method: 'HEAD' })).toMatchObject({ status: 200, text: '' });
});

it.each([
  '/../secret.txt',
  '/assets/../../secret.txt',
  '/%2e%2e/secret.txt',
  '/..%2fsecret.txt',
  '/..\\secret.txt',
  '//secret.txt',
  '/assets',
  '/assets/',
  '/index.html/',
  '/%00',
])('has nothing at %s', async (path) => {
  expect(await get(path)).toMatchObject({ status: 404, text: 'There is no such file.\n' });
});

it('answers to this machine by its own name only, and takes nothing', async () => {
  expect((server.address() as AddressInfo).address).toBe('127.0.0.1');
  expect(await get('/', { host: 'evil.example' })).toMatchObject({ status: 403 });
  expect(await get('/', { host: '127.0.0.1' })).toMatchObject({ status: 200 });
  expect(await get('/', { method: 'POST' })).toMatchObject({ status: 405 });
});

it('says in one sentence what it cannot do', async () => {
  expect(() => serve(folder)).toThrow(new InputError('the web app is not built here; «npm run build» builds it.'));
  const { port } = server.address() as AddressInfo;
  await expect(runUi('70000')).rejects.toThrow(/^--port 70000: give a number up to 65535/);
  await expect(runUi(String(port))).rejects.toThrow(
    /the web app is not built here|cannot be listened on \(EADDRINUSE\)/,
  );
});
