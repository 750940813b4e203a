/**
 * What a user sees who gives `haltex check` something that is no driver, or a driver that goes wrong in a crude way: one clear
 * paragraph, the right exit code, no stack trace, nothing written. The drivers are built from test/bad-drivers/.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { main } from '../src/cli/program.ts';

const PATIENCE = 60_000;
const drivers = fileURLToPath(new URL('bad-drivers/', import.meta.url));
const driver = (name: string) => join(drivers, `${name}.sys`);
const good = readFileSync(driver('well-behaved'));

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'haltex-bad-input-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs `haltex check` as the command line does. */
async function check(path: string, ...options: string[]) {
  const out: string[] = [];
  const err: string[] = [];
  const spies = [
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => out.push(String(text)) > 0),
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => err.push(String(text)) > 0),
  ];
  try {
    const code = await main(['check', path, ...options]);
    return { code, out: out.join(''), err: err.join('') };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

/** The file refused: exit code 2, one line that names the file and says why, and no result. */
async function refused(path: string, why: RegExp): Promise<void> {
  const result = join(folder, 'result.json');
  const { code, out, err } = await check(path, '--reporter', `json=${result}`);
  expect({ code, out }).toEqual({ code: 2, out: '' });
  expect(err.startsWith(`haltex: ${path}: `)).toBe(true);
  expect(err).toMatch(why);
  expect(err.trimEnd()).not.toContain('\n');
  expect(err).not.toMatch(/^\s+at /m);
  expect(existsSync(result)).toBe(false);
}

function file(name: string, bytes: Uint8Array | string): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

/** The good driver with another value in its headers. */
function changed(name: string, change: (view: DataView, pe: number) => void): string {
  const bytes = Uint8Array.from(good);
  const view = new DataView(bytes.buffer);
  change(view, view.getUint32(0x3c, true));
  return file(name, bytes);
}

const [MACHINE, CHARACTERISTICS, MAGIC, SUBSYSTEM] = [4, 22, 24, 92];
const IMAGE_FILE_DLL = 0x2000;
const WINDOWS_CONSOLE = 3;

describe('not a driver', () => {
  it('a file that is not there', () => refused(join(folder, 'absent.sys'), /there is no such file/));
  it('a folder', async () => {
    const path = join(folder, 'folder.sys');
    mkdirSync(path);
    await refused(path, /it is a folder/);
  });
  it('an empty file', () => refused(file('empty.sys', ''), /the file is empty/));
  it('something else', () => refused(file('text.sys', 'hello, world\n'), /not a Windows executable/));
  it('cut off anywhere', async () => {
    for (let length = 1; length < good.length; length += 61) {
      await refused(file('cut.sys', good.subarray(0, length)), /ends|not a Windows executable|empty/);
    }
  });
  it('32-bit', () =>
    refused(
      changed('x86.sys', (view, pe) => {
        view.setUint16(pe + MACHINE, 0x14c, true);
        view.setUint16(pe + MAGIC, 0x10b, true);
      }),
      /32-bit|x86/,
    ));
  it('ARM64', () =>
    refused(
      changed('arm64.sys', (view, pe) => view.setUint16(pe + MACHINE, 0xaa64, true)),
      /ARM64/,
    ));
  it('a user-mode program', () =>
    refused(
      changed('program.exe', (view, pe) => view.setUint16(pe + SUBSYSTEM, WINDOWS_CONSOLE, true)),
      /user-mode/,
    ));
  it('a user-mode DLL', () =>
    refused(
      changed('library.dll', (view, pe) => {
        view.setUint16(pe + SUBSYSTEM, WINDOWS_CONSOLE, true);
        view.setUint16(pe + CHARACTERISTICS, view.getUint16(pe + CHARACTERISTICS, true) | IMAGE_FILE_DLL, true);
      }),
      /user-mode DLL/,
    ));
  it('a driver that is no miniport', () =>
    refused(driver('filter'), /an NDIS filter driver.*NdisFRegisterFilterDriver/));
});

const verdicts: readonly (readonly [name: string, code: number, text: RegExp])[] = [
  ['well-behaved', 0, /clean: \d+ scenarios played/],
  ['spins', 1, /halt-hang error\n {2}MiniportHaltEx runs on without end/],
  ['overflows-stack', 1, /driver-stack-overflow error\n {2}MiniportInitializeEx uses up the kernel stack/],
  [
    'jumps-to-nowhere',
    1,
    /driver-jumps-to-nowhere error\n.*0xFFFFF80012345678, where nothing is[\s\S]*jumps-to-nowhere\.sys\+/,
  ],
  ['bug-checks', 1, /driver-bugcheck error\n.*0xDEADDEAD/],
  ['entry-fails', 3, /DriverEntry fails even when nothing is made to fail/],
  ['unsupported-instruction', 3, /In \d+ of \d+ scenarios: the instruction fldpi .*unsupported-instruction\.sys\+0x/],
  ['missing-import', 3, /In 1 of \d+ scenarios: the driver calls NdisCmAddPartyComplete of ndis\.sys/],
];

describe('drivers that go wrong', () => {
  it('each has its case here', () => {
    const built = readdirSync(drivers).filter((name) => name.endsWith('.sys'));
    const known = [...verdicts.map(([name]) => `${name}.sys`), 'filter.sys'];
    expect(built.toSorted()).toEqual(known.toSorted());
  });

  it.each(verdicts)(
    '%s',
    async (name, expected, text) => {
      const { code, out, err } = await check(driver(name));
      expect({ code, err }).toEqual({ code: expected, err: '' });
      expect(out).toMatch(text);
      expect(out).not.toMatch(/^\s+at /m);
    },
    PATIENCE,
  );
});
