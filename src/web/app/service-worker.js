/**
 * Keeps the page working offline: all its files are kept when it is first loaded, so that a driver can be checked without a
 * network. The page itself is asked for anew where there is one, and so are files of another build. `vite build` fills in the names.
 */
const CACHE = 'haltex-__NAME__';
const FILES = '__FILES__';

addEventListener('install', (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(FILES)));
});

addEventListener('activate', (event) => {
  const old = async () => {
    const names = (await caches.keys()).filter((name) => name.startsWith('haltex-') && name !== CACHE);
    await Promise.all(names.map((name) => caches.delete(name)));
    await clients.claim();
  };
  event.waitUntil(old());
});

addEventListener('fetch', (event) => {
  const { request } = event;
  if (request.method !== 'GET' || !request.url.startsWith(registration.scope)) return;
  event.respondWith(request.mode === 'navigate' ? fresh(request) : kept(request));
});

async function fresh(request) {
  try {
    return await fetch(request);
  } catch {
    return (await caches.match(new URL('./', registration.scope), { cacheName: CACHE })) ?? Response.error();
  }
}

async function kept(request) {
  return (await caches.match(request, { cacheName: CACHE })) ?? fetch(request);
}
