/** The HTML report in a real browser: opened from disk, read, searched, printed, with keyboard alone, in light and dark. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, chromium, type Locator, type Page } from 'playwright-core';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadDriverFile } from '../../src/cli/load.ts';
import { machineFor } from '../../src/cli/machine-options.ts';
import { sourceFinder } from '../../src/cli/sources.ts';
import { symbolsFor } from '../../src/cli/symbols.ts';
import { check } from '../../src/explore/check.ts';
import type { CheckResult } from '../../src/explore/result.ts';
import type { ReportContext } from '../../src/report/reporter.ts';
import { reporters } from '../../src/report/reporters.ts';
import { symbolizeResult } from '../../src/report/symbols.ts';
import { result as small } from '../../src/report/testing.ts';

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const DRIVER = 'samples/c/broken/halt-leaks-interrupt/halt-leaks-interrupt.sys';

if (!existsSync(executablePath)) {
  it.skip(`needs Chromium at ${executablePath} (apt-get install chromium, or name another with CHROMIUM=)`);
}

describe.runIf(existsSync(executablePath))('the HTML report', () => {
  const folder = mkdtempSync(join(tmpdir(), 'haltex-browser-'));
  let browser: Browser;
  let context: ReportContext;
  const write = (name: string, result: CheckResult, reporter = 'html') => {
    const file = join(folder, name);
    writeFileSync(file, reporters[reporter]?.(result, context) ?? '');
    return file;
  };

  beforeAll(async () => {
    await build({ configFile: 'vite.viewer.config.ts', logLevel: 'error', build: { outDir: folder } });
    const viewer = {
      script: readFileSync(join(folder, 'viewer.js'), 'utf8'),
      style: readFileSync(join(folder, 'viewer.css'), 'utf8'),
    };
    context = {
      version: '0.0.0',
      driverPath: DRIVER,
      colour: false,
      source: sourceFinder(DRIVER),
      viewer: () => viewer,
    };
    const driver = await loadDriverFile(DRIVER);
    const { symbols } = symbolsFor(driver, DRIVER, undefined);
    const result = check(await machineFor(driver, DRIVER, {}), { now: () => performance.now(), budget: 8 });
    write('report.html', symbols === undefined ? result : symbolizeResult(result, symbols));
    browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  }, 120_000);

  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true });
  });

  async function open(
    name: string,
    colorScheme: 'light' | 'dark' = 'light',
  ): Promise<{ page: Page; faults: string[]; requests: string[] }> {
    const page = await browser.newPage({
      colorScheme,
      viewport: { width: 1440, height: 1000 },
      reducedMotion: 'reduce',
    });
    const faults: string[] = [];
    const requests: string[] = [];
    page.on('pageerror', (error) => faults.push(error.message));
    page.on('console', (message) => faults.push(message.text()));
    page.on('dialog', (dialog) => {
      faults.push(dialog.message());
      void dialog.dismiss();
    });
    page.on('request', (request) => requests.push(request.url()));
    await page.goto(pathToFileURL(join(folder, name)).href);
    await page.waitForSelector('.chart');
    return { page, faults, requests };
  }

  it('is one file below two megabytes that asks for nothing else', async () => {
    expect(statSync(join(folder, 'report.html')).size).toBeLessThan(2_000_000);
    const { page, faults, requests } = await open('report.html');
    expect(requests).toEqual([pathToFileURL(join(folder, 'report.html')).href]);
    expect(faults).toEqual([]);
    await page.close();
  });

  it('shows the finding first, with its sentence, source line and command', async () => {
    const { page } = await open('report.html');
    const finding = page.locator('.finding').first();
    expect(await text(finding.locator('h3'))).toContain('halt-leaks-interrupt');
    expect(await text(finding.locator('.message'))).toContain('NdisMDeregisterInterruptEx is missing');
    expect(await text(finding.locator('.source .here').first())).toContain('NdisMRegisterInterruptEx');
    expect(await text(finding.locator('.command code'))).toMatch(/^npx haltex replay samples\/c\/broken\/.* hx1\.\S+$/);
    await page.close();
  });

  it('draws what is owed running off the chart, and leads from the finding to the call in the diagram', async () => {
    const { page } = await open('report.html');
    await page.getByRole('button', { name: 'Show in the unload picture' }).first().click();
    const selected = page.locator('.rows [aria-selected="true"]');
    expect(await text(selected)).toContain('NdisMRegisterInterruptEx');
    expect(await text(selected)).toContain('interrupt, never undone');
    expect(await inSight(page)).toBe(true);
    expect(await page.locator('.life.owed path').count()).toBe(1);
    expect(await text(page.locator('.labels .owed'))).toBe('interrupt, owed');
    expect(await text(page.locator('.details'))).toContain('It is never undone.');
    await page.getByRole('button', { name: 'MiniportHaltEx' }).click();
    expect(await page.locator('.callback text').allTextContents()).toContain('HaltEx');
    await page.close();
  });

  it('holds hundreds of events, of which only those in sight are there', async () => {
    const { page } = await open('report.html');
    for (const kind of ['interrupt', 'call', 'plumbing', 'fact']) await page.locator(`label.chip.${kind}`).click();
    expect(await text(page.locator('p.found'))).toMatch(/^[\d,]{3,} rows shown$/);
    expect(await page.locator('.rows .row').count()).toBeLessThan(80);
    await page.getByRole('searchbox').fill('ndismderegister');
    expect(await text(page.locator('p.found'))).toMatch(/^\d+ rows match$/);
    expect(await text(page.locator('.rows .row').first())).toContain('NdisMDeregister');
    expect(await page.locator('path.match').count()).toBe(1);
    await page.close();
  });

  it('works with the keyboard alone', async () => {
    const { page } = await open('report.html');
    await page.locator('.rows').focus();
    await page.keyboard.press('Home');
    const selected = page.locator('.rows [aria-selected="true"]');
    expect(await text(selected)).toContain('DriverEntry');
    await page.keyboard.press('ArrowDown');
    expect(await text(selected)).toContain('NdisMRegisterMiniportDriver');
    while (!(await selected.getAttribute('class'))?.includes('fold')) await page.keyboard.press('ArrowDown');
    const before = Number(await selected.getAttribute('aria-setsize'));
    await page.keyboard.press('Enter');
    expect(Number(await selected.getAttribute('aria-setsize'))).toBeGreaterThan(before);
    await page.keyboard.press('End');
    expect(await text(selected)).toContain('played to its end');
    expect(await inSight(page)).toBe(true);
    await page.locator('.area').focus();
    const ticks = await page.locator('.ticks text').allTextContents();
    await page.keyboard.press('+');
    expect(await page.locator('.ticks text').allTextContents()).not.toEqual(ticks);
    await page.close();
  });

  it.each(['light', 'dark'] as const)('axe finds no serious fault (%s)', async (scheme) => {
    const { page } = await open('report.html', scheme);
    await page.getByRole('button', { name: 'Show in the unload picture' }).first().click();
    await page.locator('details').evaluateAll((all) => {
      for (const one of all) one.setAttribute('open', '');
    });
    // The report's policy allows no script but its own, so axe comes through the debugger.
    await page.evaluate(readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8'));
    const faults = await page.evaluate<string[]>(`
      axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'] }).then(({ violations }) =>
        violations
          .filter(({ impact }) => impact === 'serious' || impact === 'critical')
          .map(({ id, nodes }) => id + ': ' + nodes.map(({ html, failureSummary }) => html.slice(0, 160) + ' ' + failureSummary).join(' | ')))`);
    expect(faults).toEqual([]);
    await page.close();
  });

  it('never takes the text of a finding for markup', async () => {
    write('hostile.html', small);
    const { page, faults } = await open('hostile.html');
    expect(await text(page.locator('.finding .message').first())).toContain('</script><img src=x onerror="alert(1)">');
    expect(await page.locator('img').count()).toBe(0);
    expect(faults).toEqual([]);
    // A note stands below the finding before it, like any other.
    const [first, note] = await Promise.all([0, 1].map((n) => page.locator('.finding').nth(n).boundingBox()));
    expect(note?.y).toBeGreaterThan((first?.y ?? 0) + (first?.height ?? 0));
    expect(note?.width).toBe(first?.width);
    const xml = readFileSync(write('hostile.xml', small, 'junit'), 'utf8');
    const errors = await page.evaluate<number>(
      `new DOMParser().parseFromString(${JSON.stringify(xml)}, 'application/xml').querySelectorAll('parsererror').length`,
    );
    expect(errors).toBe(0);
    await page.close();
  });

  it('prints every row that is shown, and no controls', async () => {
    const { page } = await open('report.html');
    const lines = Number(await page.locator('.rows .row').first().getAttribute('aria-setsize'));
    await page.emulateMedia({ media: 'print' });
    await expect.poll(() => page.locator('.rows .row').count()).toBe(lines);
    expect(await page.locator('.tools .group').isVisible()).toBe(false);
    expect((await page.pdf({ format: 'A4' })).length).toBeGreaterThan(10_000);
    await page.close();
  });

  const text = async (locator: Locator) => (await locator.textContent()) ?? '';

  const inSight = (page: Page) =>
    page.evaluate<boolean>(`(() => {
      const list = document.querySelector('.rows').getBoundingClientRect();
      const row = document.querySelector('.rows [aria-selected="true"]').getBoundingClientRect();
      return row.top >= list.top && row.bottom <= list.bottom;
    })()`);
});
