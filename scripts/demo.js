/** Checks a bundled driver that keeps the contract and one that breaks it: what `npm run demo` shows. */
import { spawnSync } from 'node:child_process';

const expected = [
  { driver: 'samples/c/nic/nic.sys', exit: 0 },
  { driver: 'samples/c/broken/halt-leaks-interrupt/halt-leaks-interrupt.sys', exit: 1 },
];

for (const { driver, exit } of expected) {
  console.log(`$ npx haltex check ${driver}\n`);
  const { status } = spawnSync(process.execPath, ['dist/cli/main.js', 'check', driver], { stdio: 'inherit' });
  console.log();
  if (status !== exit) {
    console.error(`demo: haltex left with exit code ${status}, expected ${exit}.`);
    process.exit(1);
  }
}
