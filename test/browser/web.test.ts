/**
 * The web app in a real browser, as `haltex ui` serves it: a driver is dropped, a finding opened, a report saved; a check is
 * stopped; the page is loaded again without its server; nothing is asked of anyone else.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { build } from 'vite';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { loadDriverFile } from '../../src/cli/load.ts';
import { machineFor } from '../../src/cli/machine-options.ts';
import { sourceFinder } from '../../src/cli/sources.ts';
import { symbolsFor } from '../../src/cli/symbols.ts';
import { serve } from '../../src/cli/ui.ts';
import { version } from '../../src/cli/version.ts';
import { check } from '../../src/explore/check.ts';
import { reporters } from '../../src/report/reporters.ts';
import { symbolizeResult } from '../../src/report/symbols.ts';

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const DRIVER = 'samples/c/broken/halt-leaks-interrupt/halt-leaks-interrupt.sys';
const PATIENCE = 60_000;
/** Scenarios; enough for every phase to begin. */
const FEW = 12;

if (!existsSync(executablePath)) {
  it.skip(`needs Chromium at ${executablePath} (apt-get install chromium, or name another with CHROMIUM=)`);
}

describe.runIf(existsSync(executablePath))('the web app', () => {
  const folder = mkdtempSync(join(tmpdir(), 'haltex-web-'));
  let browser: Browser;
  let server: Server;
  let address: string;
  const contexts: BrowserContext[] = [];

  const listen = (port = 0) => new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const close = () => {
    server.close();
    server.closeAllConnections();
  };

  beforeAll(async () => {
    await build({ configFile: 'vite.web.config.ts', logLevel: 'error', build: { outDir: folder } });
    server = serve(folder);
    await listen();
    address = `http://localhost:${(server.address() as AddressInfo).port}/`;
    browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  }, 120_000);

  afterEach(async () => {
    for (const context of contexts.splice(0)) await context.close();
  });

  afterAll(async () => {
    await browser?.close();
    close();
    rmSync(folder, { recursive: true });
  });

  /** A page with nothing kept from earlier ones; what it complains of, and what it asks for. */
  async function open(colorScheme: 'light' | 'dark' = 'light') {
    const context = await browser.newContext({
      colorScheme,
      viewport: { width: 1360, height: 950 },
      reducedMotion: 'reduce',
      acceptDownloads: true,
    });
    contexts.push(context);
    const faults: string[] = [];
    const requests: string[] = [];
    /** Of the page itself: its service worker asks for everything in the meantime. */
    const own: string[] = [];
    context.on('request', (request) => {
      requests.push(request.url());
      if (request.serviceWorker() === null) own.push(request.url());
    });
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE);
    page.on('pageerror', (error) => faults.push(error.message));
    page.on('console', (message) => faults.push(message.text()));
    await page.goto(address);
    return { page, faults, requests, own };
  }

  /** Drops files on the page, as a file manager does. */
  async function drop(page: Page, files: readonly { readonly name: string; readonly bytes: Uint8Array | string }[]) {
    const given = files.map(({ name, bytes }) => ({ name, text: Buffer.from(bytes).toString('base64') }));
    await page.evaluate(`(() => {
      const transfer = new DataTransfer();
      for (const { name, text } of ${JSON.stringify(given)}) {
        transfer.items.add(new File([Uint8Array.from(atob(text), (char) => char.charCodeAt(0))], name));
      }
      const event = (kind) => new DragEvent(kind, { dataTransfer: transfer, bubbles: true, cancelable: true });
      document.querySelector('.drop, .result').dispatchEvent(event('dragover'));
      document.querySelector('.drop, .result').dispatchEvent(event('drop'));
    })()`);
  }
  const file = (path: string) => ({ name: basename(path), bytes: new Uint8Array(readFileSync(path)) });

  async function few(page: Page, budget = FEW) {
    await page.getByText('Options', { exact: true }).click();
    await page.getByLabel('Scenarios at most').fill(String(budget));
    await page.getByLabel('Scenarios at most').blur();
  }

  async function saved(page: Page, words: string) {
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: words, exact: true }).click(),
    ]);
    return { name: download.suggestedFilename(), text: readFileSync((await download.path()) as string, 'utf8') };
  }

  it('checks a dropped driver, shows its finding in the picture, and saves what the command line would', async () => {
    const { page, faults, requests, own } = await open();
    // The engine comes with the first driver.
    expect(own.filter((url) => /worker-|\.wasm|samples/.test(url))).toEqual([]);
    await few(page);
    const sources = readdirSync('samples/c/nic').filter((name) => name.endsWith('.c'));
    await drop(
      page,
      [DRIVER, DRIVER.replace('.sys', '.pdb'), ...sources.map((name) => `samples/c/nic/${name}`)].map(file),
    );
    const finding = page.locator('.finding').first();
    await finding.waitFor();
    expect(await finding.locator('h3').textContent()).toContain('halt-leaks-interrupt');
    expect(await finding.locator('.source .here').first().textContent()).toContain('NdisMRegisterInterruptEx');
    expect(await finding.locator('.command code').textContent()).toMatch(
      /^npx haltex replay halt-leaks-interrupt\.sys hx1\.\S+$/,
    );
    await page.getByRole('button', { name: 'Show in the unload picture' }).first().click();
    expect(await page.locator('.rows [aria-selected="true"]').textContent()).toContain('interrupt, never undone');
    expect(await page.locator('.life.owed path').count()).toBe(1);
    // The app's own styles leave the viewer's alone.
    expect((await page.locator('.legend').boundingBox())?.height).toBeLessThan(40);

    const driver = await loadDriverFile(DRIVER);
    const { symbols } = symbolsFor(driver, DRIVER, undefined);
    const plain = check(await machineFor(driver, DRIVER, {}), { now: () => 0, budget: FEW });
    const result = symbols === undefined ? plain : symbolizeResult(plain, symbols);
    const context = { version, driverPath: basename(DRIVER), colour: false, source: sourceFinder(DRIVER) };
    const sarif = await saved(page, 'SARIF');
    expect(sarif.name).toBe('halt-leaks-interrupt.sarif');
    expect(JSON.parse(sarif.text)).toEqual(JSON.parse(reporters.sarif?.(result, context) ?? ''));
    const timeless = (text: string) => text.replaceAll(/"milliseconds": ?[0-9.e-]+/g, '"milliseconds":0');
    const json = await saved(page, 'JSON');
    expect(JSON.parse(timeless(json.text))).toEqual(JSON.parse(timeless(reporters.json?.(result, context) ?? '')));
    expect((await saved(page, 'JUnit')).text).toContain('<testsuites');
    expect(JSON.parse((await saved(page, 'Trace')).text)).toHaveProperty('traceEvents');
    expect((await saved(page, 'Text')).text).toContain('✗ halt-leaks-interrupt');
    const html = await saved(page, 'HTML');
    expect(html.text.includes('Skip to the unload picture')).toBe(true);
    expect(html.text.length).toBeLessThan(2_000_000);

    expect(faults).toEqual([]);
    expect(requests.filter((url) => !url.startsWith(address) && !url.startsWith('blob:'))).toEqual([]);
  }, 120_000);

  it('stops a running check and shows what is known so far', async () => {
    const { page, faults } = await open();
    await few(page, 100_000);
    await page.getByRole('button', { name: 'A forgotten interrupt' }).click();
    await page.locator('.so-far li').first().waitFor();
    expect(await page.locator('.figures').textContent()).toMatch(/\d+ of [\d,]+ planned so far.*a second/);
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.locator('.finding').first().waitFor();
    expect(await page.locator('.reasons').textContent()).toContain('The check was interrupted');
    await page.getByRole('button', { name: 'Check another' }).click();
    await page.getByRole('heading', { name: 'Drop a driver here' }).waitFor();
    expect(faults).toEqual([]);
  }, 120_000);

  it('runs miniports and devices in TypeScript, with the lines as they were written', async () => {
    const { page, faults } = await open();
    await few(page);
    const minimal = readFileSync('samples/typescript/minimal.ts', 'utf8');
    await drop(page, [{ name: 'minimal.ts', bytes: minimal }]);
    await page.locator('.verdict').waitFor();
    expect(await page.locator('h1').textContent()).toBe('minimal.ts');
    expect(await page.locator('.verdict').textContent()).toBe('Clean');

    await page.getByRole('button', { name: 'Check another' }).click();
    await page.getByLabel('Any of').selectOption('samples/typescript/broken/halt-leaks-interrupt.ts');
    await page.getByRole('button', { name: 'Check', exact: true }).click();
    await page.locator('.finding').first().waitFor();
    expect(await page.locator('.finding .source .here').first().textContent()).toContain('NdisMRegisterInterruptEx');

    await page.getByRole('button', { name: 'Check another' }).click();
    const device =
      "import { sampleNic } from 'haltex';\nexport default sampleNic satisfies object as typeof sampleNic;\n";
    await drop(page, [{ name: 'my-nic.ts', bytes: device }, file('samples/c/nic/nic.sys')]);
    await page.locator('.verdict').waitFor();
    expect(await page.locator('h1').textContent()).toBe('nic.sys');
    expect(faults).toEqual([]);
  }, 120_000);

  it('says in one sentence what cannot be checked', async () => {
    const { page, faults } = await open();
    const refused = async (name: string, bytes: Uint8Array | string) => {
      await drop(page, [{ name, bytes }]);
      const problem = page.locator('.problem', { hasText: name });
      await problem.waitFor();
      return problem.textContent();
    };
    expect(await refused('text.sys', 'hello, world\n')).toContain('not a Windows executable');
    expect(await refused('filter.sys', readFileSync('test/bad-drivers/filter.sys'))).toContain(
      'this is an NDIS filter driver: it imports NdisFRegisterFilterDriver',
    );
    expect(await refused('parts.ts', "import { x } from './parts/x.ts';\nexport default x;\n")).toContain(
      'it imports «./parts/x.ts», which was not given',
    );
    expect(await refused('packages.ts', "import { x } from 'left-pad';\nexport default x;\n")).toContain(
      'a page has no packages; check it on the command line',
    );
    expect(await refused('broken.ts', 'export default {{{')).toContain('it cannot be loaded');
    expect(await refused('thrower.ts', "throw new Error('no');\n")).toContain('it cannot be loaded: no.');
    expect(await refused('number.ts', 'export default 7;\n')).toContain('its default export is not a miniport');
    await drop(page, [file('samples/c/nic/nic.pdb')]);
    expect(await page.locator('.waiting').textContent()).toContain('At hand: nic.pdb');
    expect(faults).toEqual([]);
  }, 120_000);

  it('lets nothing out, not even for a module that was dropped on it', async () => {
    const asked: string[] = [];
    const outside = createServer(({ url = '' }, response) => {
      asked.push(url);
      response.writeHead(200, { 'access-control-allow-origin': '*', 'content-type': 'text/javascript' }).end();
    });
    await new Promise<void>((resolve) => outside.listen(0, '127.0.0.1', resolve));
    const { page } = await open();
    const leak = `
      const to = 'http://localhost:${(outside.address() as AddressInfo).port}/';
      const tries = [() => fetch(to + 'fetch'), () => import(to + 'import')];
      let out = 0;
      for (const go of tries) await go().then(() => out++, () => {});
      throw new Error('tried ' + tries.length + ', out ' + out);
    `;
    await drop(page, [{ name: 'leak.js', bytes: leak }]);
    const problem = page.locator('.problem');
    await problem.waitFor();
    expect(await problem.textContent()).toContain('tried 2, out 0');
    expect(asked).toEqual([]);
    outside.close();
  }, 60_000);

  it('is small, and works without its server once it was loaded', async () => {
    const names = readdirSync(folder, { recursive: true, encoding: 'utf8', withFileTypes: true });
    const sizes = names
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => gzipSync(readFileSync(join(parentPath, name)), { level: 9 }).length);
    expect(sizes.reduce((sum, size) => sum + size)).toBeLessThan(1_500_000);

    const { page } = await open();
    await page.evaluate('navigator.serviceWorker.ready');
    const { port } = server.address() as AddressInfo;
    close();
    try {
      await page.reload();
      await few(page);
      await page.getByRole('button', { name: 'A forgotten interrupt' }).click();
      await page.locator('.finding').first().waitFor();
      expect((await saved(page, 'HTML')).text.includes('Skip to the unload picture')).toBe(true);
    } finally {
      server = serve(folder);
      await listen(port);
    }
  }, 120_000);

  it.each(['light', 'dark'] as const)(
    'axe finds no serious fault (%s)',
    async (scheme) => {
      const { page } = await open(scheme);
      const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
      await page.evaluate(axe);
      const faults = () =>
        page.evaluate<string[]>(`
        axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'] }).then(({ violations }) =>
          violations
            .filter(({ impact }) => impact === 'serious' || impact === 'critical')
            .map(({ id, nodes }) => id + ': ' + nodes.map(({ html, failureSummary }) => html.slice(0, 160) + ' ' + failureSummary).join(' | ')))`);
      await few(page, 100_000);
      expect(await faults()).toEqual([]);
      await drop(page, [{ name: 'text.sys', bytes: 'no driver' }]);
      await page.locator('.problem').waitFor();
      expect(await faults()).toEqual([]);
      await page.getByRole('button', { name: 'A forgotten interrupt' }).click();
      await page.locator('.so-far li').first().waitFor();
      expect(await faults()).toEqual([]);
      await page.getByRole('button', { name: 'Stop' }).click();
      await page.locator('.finding').first().waitFor();
      expect(await faults()).toEqual([]);
    },
    120_000,
  );

  it('can be used with the keyboard alone', async () => {
    const { page } = await open();
    const focused = () => page.evaluate<string>('document.activeElement.textContent');
    await page.keyboard.press('Tab');
    expect(await focused()).toBe('Choose files…');
    await page.keyboard.press('Tab');
    expect(await focused()).toBe('Options');
    await page.keyboard.press('Tab');
    expect(await focused()).toContain('A forgotten interrupt');
    await page.keyboard.press('Enter');
    await page.locator('.so-far li').first().waitFor();
    await page.keyboard.press('Tab');
    expect(await focused()).toBe('Stop');
    await page.keyboard.press('Enter');
    await page.locator('.finding').first().waitFor();
    await page.keyboard.press('Tab');
    expect(await focused()).toBe('HTML');
  }, 60_000);
});
