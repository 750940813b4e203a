/** The host's own CPU: builds native.c, and gives it batches. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ARENA, CODE, EXIT, GS_BASE, type Outcome, PAGE, SLOT, type State } from './layout.ts';

export interface Batch {
  /** Code of the programs, a slot each. */
  readonly code: Uint8Array;
  readonly programs: number;
  readonly pool: Uint8Array;
  readonly cases: readonly { readonly program: number; readonly state: State }[];
}

const MAGIC = 0x54464944;
const HEADER = 56;
const START = 8 + 16 * 8 + 24 + 256;
const RESULT = 16 + 16 * 8 + 24 + 256 + PAGE;
const TIMED_OUT = 255;
const PAGE_FAULT = 14;
const BREAKPOINT = 3;

/** The first C compiler there is. */
export function compiler(): string | undefined {
  return ['cc', 'gcc', 'clang'].find((name) => spawnSync(name, ['--version']).status === 0);
}

/** Why native cases cannot run here; undefined when they can. */
export function lacking(): string | undefined {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'it needs Linux on x86-64';
  return compiler() ? undefined : 'there is no C compiler (cc, gcc or clang)';
}

export class Native {
  private readonly folder: string;
  private readonly child: ChildProcess;
  private readonly chunks: Buffer[] = [];
  private wanted = 0;
  private got = 0;
  private settle: { resolve: (data: Buffer) => void; reject: (error: Error) => void } | undefined;

  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), 'differential-'));
    const program = join(this.folder, 'native');
    const source = fileURLToPath(new URL('native.c', import.meta.url));
    const built = spawnSync(compiler()!, ['-O2', source, '-o', program], { encoding: 'utf8' });
    if (built.status !== 0) throw new Error(`native.c does not build:\n${built.stderr}`);
    this.child = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.child.stdout!.on('data', (data: Buffer) => this.receive(data));
    this.child.on('exit', (code, signal) => {
      this.settle?.reject(new Error(`the native process ended: ${signal ?? code}`));
    });
  }

  async run(batch: Batch): Promise<Outcome[]> {
    const data = await this.exchange(encode(batch), batch.cases.length * RESULT);
    return batch.cases.map((_, i) => decode(data.subarray(i * RESULT, (i + 1) * RESULT)));
  }

  close(): void {
    this.child.stdin!.end();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private exchange(data: Buffer, wanted: number): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.wanted = wanted;
      this.settle = { resolve, reject };
      this.child.stdin!.write(data);
    });
  }

  private receive(data: Buffer): void {
    this.chunks.push(data);
    this.got += data.length;
    if (this.got < this.wanted) return;
    const all = Buffer.concat(this.chunks.splice(0));
    this.got = 0;
    const { settle } = this;
    this.settle = undefined;
    settle?.resolve(all);
  }
}

function encode({ code, programs, pool, cases }: Batch): Buffer {
  const buffer = Buffer.alloc(HEADER + code.length + pool.length + cases.length * START);
  [ARENA, CODE, EXIT, GS_BASE].forEach((address, i) => {
    buffer.writeBigUInt64LE(BigInt(address), 8 * i);
  });
  [MAGIC, SLOT, programs, cases.length, pool.length].forEach((value, i) => {
    buffer.writeUInt32LE(value, 32 + 4 * i);
  });
  buffer.set(code, HEADER);
  buffer.set(pool, HEADER + code.length);
  let at = HEADER + code.length + pool.length;
  for (const { program, state } of cases) {
    buffer.writeUInt32LE(program, at);
    buffer.writeUInt32LE(state.pool, at + 4);
    buffer.set(bytesOf(state.gpr), at + 8);
    buffer.writeUInt32LE(state.rflags, at + 136);
    buffer.writeUInt32LE(state.mxcsr, at + 144);
    buffer.set(bytesOf(state.xmm), at + 160);
    at += START;
  }
  return buffer;
}

const bytesOf = (words: BigUint64Array): Uint8Array => new Uint8Array(words.buffer, words.byteOffset, words.byteLength);

/** The words at an offset, in an array of their own. */
function words(data: Buffer, offset: number, count: number): BigUint64Array {
  return new BigUint64Array(Uint8Array.from(data.subarray(offset, offset + 8 * count)).buffer);
}

function decode(data: Buffer): Outcome {
  const vector = data.readUInt32LE(0);
  const rip = Number(data.readBigInt64LE(144));
  const ended = vector === BREAKPOINT && rip === EXIT + 1;
  return {
    trap: ended ? 'end' : vector === TIMED_OUT ? 'timeout' : vector,
    address: vector === PAGE_FAULT ? Number(data.readBigInt64LE(8)) : 0,
    size: 1,
    write: vector === PAGE_FAULT ? (data.readUInt32LE(4) & 2) !== 0 : undefined,
    rip: ended ? EXIT : rip,
    gpr: words(data, 16, 16),
    rflags: Number(data.readBigUInt64LE(152)),
    mxcsr: Number(data.readBigUInt64LE(160)),
    xmm: words(data, 168, 32),
    arena: data.subarray(RESULT - PAGE),
  };
}
