import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';

it('docs/halt-handler.md follows the samples', () => {
  const { status, stderr } = spawnSync(process.execPath, ['scripts/halt-handler.js', '--check'], { encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(status).toBe(0);
});
