/**
 * Writes WebAssembly binaries: just the sections translated regions need. Instructions themselves come from values.ts and
 * body.ts; this file knows the container.
 */

export const Type = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b } as const;
export type Type = (typeof Type)[keyof typeof Type];

/** Appends an unsigned LEB128 number. */
export function unsigned(out: number[], value: number): void {
  while (value >= 0x80) {
    out.push((value & 0x7f) | 0x80);
    value = Math.floor(value / 128);
  }
  out.push(value);
}

/** Appends a signed LEB128 number of up to 32 bits. */
export function signed32(out: number[], value: number): void {
  value |= 0;
  for (;;) {
    const byte = value & 0x7f;
    value >>= 7;
    if ((value === 0 && !(byte & 0x40)) || (value === -1 && byte & 0x40)) {
      out.push(byte);
      return;
    }
    out.push(byte | 0x80);
  }
}

/** Appends a signed LEB128 number of up to 64 bits. */
export function signed64(out: number[], value: bigint): void {
  value = BigInt.asIntN(64, value);
  while (value < -0x4000_0000n || value > 0x3fff_ffffn) {
    out.push(Number(value & 0x7fn) | 0x80);
    value >>= 7n;
  }
  signed32(out, Number(value));
}

export interface FunctionType {
  readonly params: readonly Type[];
  readonly results: readonly Type[];
}

export interface ImportedFunction {
  readonly name: string;
  readonly type: FunctionType;
}

export interface DefinedFunction {
  readonly name: string;
  readonly type: FunctionType;
  /** Types of the locals behind the parameters. */
  readonly locals: readonly Type[];
  /** Instructions, without the closing `end`. */
  readonly code: ArrayLike<number>;
}

export interface ModuleParts {
  readonly memoryPages: number;
  /** Imports an `anyfunc` table when code calls indirectly. */
  readonly table: boolean;
  /** Numbered first, in this order. */
  readonly imports: readonly ImportedFunction[];
  /** Numbered behind the imports; all exported by name. */
  readonly functions: readonly DefinedFunction[];
}

/** The type index every module gives to the region function, `(i32 entry) -> ()`: what call_indirect names. */
export const REGION_TYPE = 0;
export const regionType: FunctionType = { params: [Type.i32], results: [] };

/** A module that imports `env.memory` (and `env.table`) and exports its functions. */
export function encodeModule(parts: ModuleParts): Uint8Array {
  const types = [regionType, ...parts.imports.map((f) => f.type), ...parts.functions.map((f) => f.type)];
  const out: number[] = [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
  section(out, 1, types.length, (s) => {
    for (const type of types) {
      s.push(0x60);
      vector(s, type.params);
      vector(s, type.results);
    }
  });
  section(out, 2, 1 + (parts.table ? 1 : 0) + parts.imports.length, (s) => {
    importName(s, 'memory');
    s.push(0x02, 0x01);
    unsigned(s, parts.memoryPages);
    unsigned(s, parts.memoryPages);
    if (parts.table) {
      importName(s, 'table');
      s.push(0x01, 0x70, 0x00, 0x00);
    }
    parts.imports.forEach((f, i) => {
      importName(s, f.name);
      s.push(0x00);
      unsigned(s, 1 + i);
    });
  });
  section(out, 3, parts.functions.length, (s) => {
    for (let i = 0; i < parts.functions.length; i++) unsigned(s, 1 + parts.imports.length + i);
  });
  section(out, 7, parts.functions.length, (s) => {
    parts.functions.forEach((f, i) => {
      text(s, f.name);
      s.push(0x00);
      unsigned(s, parts.imports.length + i);
    });
  });
  // The code section may be large: sizes are computed first, bytes copied once.
  const heads = parts.functions.map((f) => {
    const locals = localRuns(f.locals);
    const head: number[] = [];
    unsigned(head, locals.length + f.code.length + 1);
    return [...head, ...locals];
  });
  const size: number[] = [];
  const count: number[] = [];
  unsigned(count, parts.functions.length);
  const total = parts.functions.reduce((sum, f, i) => sum + heads[i]!.length + f.code.length + 1, count.length);
  unsigned(size, total);
  const module = new Uint8Array(out.length + 1 + size.length + total);
  module.set(out);
  let at = out.length;
  module[at++] = 10;
  for (const bytes of [size, count]) {
    module.set(bytes, at);
    at += bytes.length;
  }
  parts.functions.forEach((f, i) => {
    module.set(heads[i]!, at);
    at += heads[i]!.length;
    module.set(f.code, at);
    at += f.code.length;
    module[at++] = 0x0b;
  });
  return module;
}

function section(out: number[], id: number, count: number, write: (s: number[]) => void): void {
  const body: number[] = [];
  unsigned(body, count);
  write(body);
  out.push(id);
  unsigned(out, body.length);
  for (const byte of body) out.push(byte);
}

function vector(out: number[], bytes: readonly number[]): void {
  unsigned(out, bytes.length);
  out.push(...bytes);
}

function text(out: number[], value: string): void {
  vector(
    out,
    Array.from(value, (c) => c.charCodeAt(0)),
  );
}

function importName(out: number[], name: string): void {
  text(out, 'env');
  text(out, name);
}

/** Locals as runs of equal types, the way the binary declares them. */
function localRuns(types: readonly Type[]): number[] {
  const runs: { type: Type; count: number }[] = [];
  for (const type of types) {
    const last = runs.at(-1);
    if (last?.type === type) last.count++;
    else runs.push({ type, count: 1 });
  }
  const out: number[] = [];
  unsigned(out, runs.length);
  for (const run of runs) {
    unsigned(out, run.count);
    out.push(run.type);
  }
  return out;
}
