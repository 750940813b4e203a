/**
 * For tests: drivers compiled for real with clang and lld-link, when this machine has them, and what llvm-readobj says of them.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const tools = ['clang', 'lld-link', 'llvm-dlltool', 'llvm-readobj', 'llvm-objdump'];

/** The tools that are missing here; when there are any, say so in the test's name and skip it. */
export const missingTools = tools.filter(
  (tool) => spawnSync(tool, ['--version'], { stdio: 'ignore' }).error !== undefined,
);

export interface CompiledDriver {
  readonly path: string;
  readonly bytes: Uint8Array;
  readobj(...options: string[]): string;
  dispose(): void;
}

/** Compiles `source` (C) against `imports`, a list of functions by module, and links it as a driver. */
export function compileDriver(
  source: string,
  imports: Readonly<Record<string, readonly string[]>>,
  clangOptions: readonly string[] = [],
): CompiledDriver {
  const folder = mkdtempSync(join(tmpdir(), 'haltex-image-'));
  const run = (tool: string, ...options: string[]) =>
    execFileSync(tool, options, { cwd: folder, encoding: 'utf8', maxBuffer: 1 << 26 });
  writeFileSync(join(folder, 'driver.c'), source);
  const libraries = Object.entries(imports).map(([module, functions], index) => {
    writeFileSync(join(folder, `${index}.def`), `LIBRARY "${module}"\nEXPORTS\n${functions.join('\n')}\n`);
    run('llvm-dlltool', '-m', 'i386:x86-64', '-d', `${index}.def`, '-l', `${index}.lib`);
    return `${index}.lib`;
  });
  const target = [
    '--target=x86_64-pc-windows-msvc',
    '-fms-extensions',
    '-ffreestanding',
    '-funwind-tables',
    '-mno-stack-arg-probe',
  ];
  run('clang', ...target, '-O1', ...clangOptions, '-c', 'driver.c', '-o', 'driver.obj');
  run(
    'lld-link', '/nologo', '/driver', '/subsystem:native', '/nodefaultlib', '/entry:DriverEntry', '/dynamicbase', '/debug',
    '/out:driver.sys', 'driver.obj', ...libraries,
  ); // biome-ignore format: a command line
  const path = join(folder, 'driver.sys');
  return {
    path,
    bytes: new Uint8Array(readFileSync(path)),
    readobj: (...options) => run('llvm-readobj', ...options, path),
    dispose: () => rmSync(folder, { recursive: true, force: true }),
  };
}
