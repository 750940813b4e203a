import { expect, test } from 'vitest';
import { type Address, at, NULL, toBits } from '../trace/units.ts';
import { Register } from './cpu.ts';
import { BASE, MemoryFault, Shadow, type SlowAccess } from './memory.ts';
import { CODE, CONSTANT, DATA, guest, HOST, listing, refusingHost, STACK } from './testing.ts';

const RET = 'c3 ; ret';
const returned = { kind: 'host', address: HOST };
const FREED = at(DATA, 0x800);
const BEYOND = at(BASE, 2 ** 20);

/** Each kind of access with its address in RDI, and RSI for the other pointer of moves. */
const accesses = [
  ['load of a byte', '0f b6 07 ; movzx eax, byte ptr [rdi]', 'read', 1],
  ['load of a word', '66 8b 07 ; mov ax, word ptr [rdi]', 'read', 2],
  ['load of a doubleword', '8b 07 ; mov eax, dword ptr [rdi]', 'read', 4],
  ['load of a quadword', '48 8b 07 ; mov rax, qword ptr [rdi]', 'read', 8],
  ['load of 16 bytes', '0f 10 07 ; movups xmm0, [rdi]', 'read', 8],
  ['store of a byte', '88 07 ; mov byte ptr [rdi], al', 'write', 1],
  ['store of a word', '66 89 07 ; mov word ptr [rdi], ax', 'write', 2],
  ['store of a quadword', '48 89 07 ; mov qword ptr [rdi], rax', 'write', 8],
  ['store of 16 bytes', '0f 11 07 ; movups [rdi], xmm0', 'write', 8],
  ['read-modify-write', '48 01 07 ; add qword ptr [rdi], rax', 'read', 8],
  ['increment', 'ff 07 ; inc dword ptr [rdi]', 'read', 4],
  ['exchange', '48 87 07 ; xchg qword ptr [rdi], rax', 'read', 8],
  ['compare and exchange', 'f0 48 0f b1 0f ; lock cmpxchg qword ptr [rdi], rcx', 'read', 8],
  ['exchange of 16 bytes', 'f0 48 0f c7 0f ; lock cmpxchg16b [rdi]', 'read', 8],
  ['push of memory', 'ff 37 ; push qword ptr [rdi]', 'read', 8],
  ['pop to memory', '8f 07 ; pop qword ptr [rdi]', 'write', 8],
  ['call through memory', 'ff 17 ; call qword ptr [rdi]', 'read', 8],
  ['jump through memory', 'ff 27 ; jmp qword ptr [rdi]', 'read', 8],
  ['string store', 'aa ; stosb', 'write', 1],
  ['string move, destination', 'a4 ; movsb', 'write', 1],
  ['string compare', 'a6 ; cmpsb', 'read', 1],
  ['bit string', '48 0f ab 37 ; bts qword ptr [rdi], rsi (DATA: far away)', 'read', 8],
  ['divide by memory', '48 f7 37 ; div qword ptr [rdi]', 'read', 8],
  ['packed add', '66 0f fe 07 ; paddd xmm0, [rdi]', 'read', 8],
  ['multiplication', '48 0f af 07 ; imul rax, qword ptr [rdi]', 'read', 8],
] as const; // biome-ignore format: a table

for (const [name, code, access, size] of accesses) {
  for (const [where, address] of [['freed memory', FREED], ['the null page', NULL], ['the end of memory', BEYOND]] as const) {
    test(`refused: ${name} at ${where}. Nothing of the instruction has happened`, () => {
      const g = guest(`b9 05 00 00 00 ; mov ecx, 5\n83 f9 07 ; cmp ecx, 7\n${code}\n${RET}`, { exactFlags: true });
      const { registers } = g.engine;
      g.memory.setShadow(FREED, 0x100, Shadow.Freed);
      registers.gpr.fill(0x1111_2222_3333_4444n);
      registers.xmm.fill(0x5555n);
      if (name === 'bit string') return; // its address depends on RSI: the next test
      const exit = g.call(address, DATA);
      expect(exit).toMatchObject({ kind: 'fault', access, size, address });
      expect(registers.rip).toBe(at(CODE, 8));
      expect(registers.rflags & 0x8d5).toBe(0x091); // 5 - 7: CF, SF, AF
      expect(registers.gpr[Register.RSP]).toBe(toBits(at(STACK, -0x108)));
      expect(registers.gpr[Register.RDI]).toBe(toBits(address));
      expect(registers.gpr[Register.RSI]).toBe(toBits(DATA));
      expect(registers.gpr[Register.RAX]).toBe(0x1111_2222_3333_4444n);
      expect(registers.gpr[Register.RCX]).toBe(5n);
      expect(registers.xmm[0]).toBe(0x5555n);
      expect(g.memory.readPointer(at(STACK, -0x108))).toBe(HOST);
      expect(g.engine.retired).toBe(2);
    });
  }
} // biome-ignore format: nested loops over tables

test('a bit string reaches far from its operand, and is checked there', () => {
  const g = guest(`0f a3 37 ; bt dword ptr [rdi], esi\n48 0f ab 37 ; bts qword ptr [rdi], rsi\n${RET}`);
  expect(g.call(at(DATA, 64), -3)).toEqual(returned);
  expect(g.memory.readU64(at(DATA, 56))).toBe(1n << 61n);
  expect(g.call(DATA, 0x800 * 8 * 2)).toMatchObject({ kind: 'fault', access: 'read' });
});

test('accesses are checked to the byte at any alignment', () => {
  const g = guest(`48 8b 07 ; mov rax, qword ptr [rdi]\n48 89 06 ; mov qword ptr [rsi], rax\n${RET}`);
  g.memory.setShadow(at(DATA, 0x101), 1, Shadow.Guard);
  expect(g.call(at(DATA, 0xf9), DATA)).toEqual(returned);
  expect(g.call(at(DATA, 0xfa), DATA)).toMatchObject({
    kind: 'fault',
    access: 'read',
    address: at(DATA, 0xfa),
    size: 8,
  });
  expect(g.call(at(DATA, 0x102), DATA)).toEqual(returned);
  expect(g.call(CONSTANT, DATA)).toEqual(returned);
  expect(g.call(DATA, CONSTANT)).toMatchObject({ kind: 'fault', access: 'write', address: CONSTANT });
});

test('what one access proved does not cover its neighbours', () => {
  const g = guest(`
    48 89 07                        ; mov qword ptr [rdi], rax
    48 89 47 08                     ; mov qword ptr [rdi + 8], rax
    48 83 c7 10                     ; add rdi, 16
    48 8b 47 f8                     ; mov rax, qword ptr [rdi - 8]
    48 89 07                        ; mov qword ptr [rdi], rax
    c3                              ; ret`);
  expect(g.call(DATA)).toEqual(returned);
  g.memory.setShadow(at(DATA, 16), 1, Shadow.Freed);
  expect(g.call(DATA)).toMatchObject({ kind: 'fault', access: 'write', address: at(DATA, 16) });
  expect(g.engine.registers.rip).toBe(at(CODE, 15));
  g.memory.setShadow(at(DATA, 15), 1, Shadow.Freed);
  expect(g.call(DATA)).toMatchObject({ kind: 'fault', access: 'write', address: at(DATA, 8) });
});

test('a device answers through the slow path, each access once', () => {
  const log: string[] = [];
  const slow: SlowAccess = {
    load(address, size) {
      log.push(`load ${address - DATA} ${size}`);
      return 0x1234n;
    },
    store(address, size, value) {
      log.push(`store ${address - DATA} ${size} ${value}`);
    },
  };
  const g = guest(`
    8b 07                           ; mov eax, dword ptr [rdi]
    01 47 04                        ; add dword ptr [rdi + 4], eax
    ff 46 08                        ; inc dword ptr [rsi + 8]
    75 f6                           ; jne
    c3                              ; ret`);
  g.memory.slow = slow;
  g.memory.setShadow(DATA, 16, Shadow.Device);
  g.memory.writeU32(at(DATA, 0x108), 0xffff_fffe);
  expect(g.call(DATA, at(DATA, 0x100))).toEqual(returned);
  const round = ['load 0 4', 'load 4 4', 'store 4 4 9320'];
  expect(log).toEqual([...round, ...round]);
});

test('other errors of the slow path pass through run', () => {
  const g = guest(`8b 07 ; mov eax, dword ptr [rdi]\n${RET}`);
  g.memory.slow = {
    load() {
      throw new RangeError('the machine ends here');
    },
    store() {},
  };
  expect(() => g.call(FREED + 0x1000)).toThrow('the machine ends here');
});

test('a refused slow access leaves the state exact, as MemoryFault describes it', () => {
  const g = guest(`b8 07 00 00 00 ; mov eax, 7\n48 8b 47 08 ; mov rax, qword ptr [rdi + 8]\n${RET}`);
  g.memory.slow = {
    load(address, size) {
      throw new MemoryFault('read', address, size, Shadow.Pageable);
    },
    store() {},
  };
  g.memory.setShadow(DATA, 16, Shadow.Pageable);
  expect(g.call(DATA)).toEqual({
    kind: 'fault',
    access: 'read',
    address: at(DATA, 8),
    size: 8,
    shadow: Shadow.Pageable,
  });
  expect(g.rax()).toBe(7n);
  expect(g.engine.registers.rip).toBe(at(CODE, 5));
});

test('the budget ends a loop near its number, and running again goes on', () => {
  const g = guest('ff c0 ; inc eax\neb fc ; jmp');
  g.engine.registers.rip = CODE;
  expect(g.engine.run(1000)).toEqual({ kind: 'budget' });
  expect(g.engine.retired).toBeGreaterThanOrEqual(1000);
  expect(g.engine.retired).toBeLessThan(1010);
  expect(g.rax()).toBe(BigInt(g.engine.retired / 2));
  g.engine.run(500);
  expect(g.rax()).toBe(BigInt(g.engine.retired / 2));
});

test('the budget ends a repeated string instruction in between', () => {
  const g = guest(`f3 aa ; rep stosb\n${RET}`);
  g.engine.registers.gpr[Register.RAX] = 0x7n;
  g.call(DATA, 0, 0, 0);
  const { registers } = g.engine;
  registers.gpr[Register.RDI] = toBits(DATA);
  registers.gpr[Register.RCX] = 1000n;
  registers.gpr[Register.RSP] = toBits(at(STACK, -0x108));
  registers.rip = CODE;
  expect(g.engine.run(100)).toEqual({ kind: 'budget' });
  expect(registers.rip).toBe(CODE);
  const left = Number(registers.gpr[Register.RCX]);
  expect(left).toBeGreaterThan(880);
  expect(left).toBeLessThan(920);
  expect(g.finish()).toEqual(returned);
  expect(g.memory.read(DATA, 1000).every((byte) => byte === 7)).toBe(true);
});

test('a repeated string instruction stops at the byte it may not write', () => {
  const g = guest(`f3 aa ; rep stosb\n${RET}`);
  g.memory.setShadow(at(DATA, 100), 1, Shadow.Guard);
  expect(g.call(DATA, 0, 0, 200)).toMatchObject({ kind: 'fault', access: 'write', address: at(DATA, 100), size: 1 });
  expect(g.engine.registers.gpr[Register.RCX]).toBe(100n);
  expect(g.engine.registers.gpr[Register.RDI]).toBe(toBits(at(DATA, 100)));
});

test('stop, asked for from inside an access, ends the run at the next block edge', () => {
  const g = guest('8b 07 ; mov eax, dword ptr [rdi]\nff c1 ; inc ecx\neb fa ; jmp');
  let loads = 0;
  g.memory.slow = {
    load() {
      if (++loads === 10) g.engine.stop();
      return 1n;
    },
    store() {},
  };
  g.memory.setShadow(DATA, 4, Shadow.Device);
  g.engine.registers.gpr[Register.RDI] = toBits(DATA);
  g.engine.registers.rip = CODE;
  expect(g.engine.run(1_000_000)).toEqual({ kind: 'budget' });
  expect(g.engine.registers.gpr[Register.RCX]).toBe(10n);
});

test('a call of a host address leaves with the return address pushed', () => {
  const g = guest(`48 89 f8 ; mov rax, rdi\nff d0 ; call rax\n83 c0 01 ; add eax, 1\n${RET}`);
  expect(g.call(at(HOST, 8))).toEqual({ kind: 'host', address: at(HOST, 8) });
  const { registers } = g.engine;
  const rsp = Number(BigInt.asIntN(64, registers.gpr[Register.RSP]!)) as Address;
  expect(rsp).toBe(at(STACK, -0x110));
  expect(g.memory.readPointer(rsp)).toBe(at(CODE, 5));
  registers.gpr[Register.RAX] = 41n;
  registers.gpr[Register.RSP] = toBits(at(rsp, 8));
  registers.rip = at(CODE, 5);
  expect(g.finish()).toEqual(returned);
  expect(g.rax()).toBe(42n);
});

test('control where no code is', () => {
  const g = guest('ff e7 ; jmp rdi');
  expect(g.call(DATA)).toMatchObject({ kind: 'fault', access: 'execute', address: DATA });
  expect(g.call(NULL)).toMatchObject({ kind: 'fault', access: 'execute', address: NULL });
});

test('exceptions and what is not supported leave before the instruction', () => {
  const cases = [
    ['31 d2 f7 f2 ; xor edx, edx; div edx', { kind: 'exception', vector: 0 }, 2],
    ['31 d2 48 f7 f2 ; xor edx, edx; div rdx', { kind: 'exception', vector: 0 }, 2],
    ['48 99 6a ff 59 48 0f ba f8 3f 48 f7 f9', { kind: 'host' }, undefined],
    ['0f 0b ; ud2', { kind: 'exception', vector: 6 }, 0],
    ['ce ; no instruction', { kind: 'exception', vector: 6 }, 0],
    ['31 c0 75 01 ce ; xor eax, eax; jnz over what is no instruction', { kind: 'exception', vector: 6 }, 4],
    ['31 c0 74 00 ce ; a jump to what is no instruction', { kind: 'exception', vector: 6 }, 4],
    ['cc ; int3', { kind: 'exception', vector: 3 }, 1],
    ['cd 29 ; int 29h', { kind: 'exception', vector: 0x29 }, 0],
    ['66 0f 6f 07 ; movdqa xmm0, [rdi]', { kind: 'exception', vector: 13 }, 0],
    ['90 f4 ; nop; hlt', { kind: 'unsupported', bytes: 'f4', mnemonic: 'hlt' }, 1],
    ['90 0f 01 f8 ; nop; swapgs', { kind: 'unsupported', bytes: '0f 01 f8', mnemonic: 'swapgs' }, 1],
    ['0f 20 d8 ; mov rax, cr3', { kind: 'unsupported', mnemonic: 'mov' }, 0],
  ] as const; // biome-ignore format: a table
  for (const [code, exit, offset] of cases) {
    const g = guest(`${code}\n${RET}`);
    expect(g.call(at(DATA, 8)), code).toMatchObject(exit);
    if (offset !== undefined) expect(g.engine.registers.rip, code).toBe(at(CODE, offset));
  }
});

test('128-bit division', () => {
  const g = guest(`48 89 f8 48 89 f2 ; mov rax, rdi; mov rdx, rsi\n48 f7 f1 ; div rcx\n${RET}`);
  expect(g.call(0x1234_5678_9abc_def0n, 5, 0, 7)).toEqual(returned);
  const dividend = (5n << 64n) | 0x1234_5678_9abc_def0n;
  expect([g.rax(), g.engine.registers.gpr[Register.RDX]]).toEqual([dividend / 7n, dividend % 7n]);
  expect(g.call(0, 7, 0, 7)).toEqual({ kind: 'exception', vector: 0 });
});

test('what asks the host: cpuid, time stamp, ports, CR8', () => {
  const log: string[] = [];
  const host = {
    ...refusingHost,
    readPort: (port: number, size: number) => {
      log.push(`in ${port} ${size}`);
      return 0x5a;
    },
    writePort: (port: number, size: number, value: number) => void log.push(`out ${port} ${size} ${value}`),
    writeCr8: (value: number) => void log.push(`cr8 ${value}`),
  };
  const g = guest(
    `
    44 0f 20 c0                     ; mov rax, cr8
    44 0f 22 c0                     ; mov cr8, rax
    66 ba f8 03                     ; mov dx, 3f8h
    ec                              ; in al, dx
    ef                              ; out dx, eax
    e6 80                           ; out 80h, al
    0f 31                           ; rdtsc
    48 89 d6                        ; mov rsi, rdx
    31 c0                           ; xor eax, eax
    0f a2                           ; cpuid
    c3                              ; ret`,
    {},
    host,
  );
  expect(g.call()).toEqual(returned);
  expect(log).toEqual(['cr8 2', 'in 1016 1', 'out 1016 4 90', 'out 128 1 90']);
  const { gpr } = g.engine.registers;
  expect([gpr[Register.RSI], gpr[Register.RAX], gpr[Register.RBX]]).toEqual([1n, 1n, 2n]);
});

test('rflags can be read and set; lahf sees them', () => {
  const g = guest(`9f ; lahf\n${RET}`);
  g.engine.registers.rflags = 0x8d5 | 0x400;
  expect(g.engine.registers.rflags).toBe(0xcd7);
  g.call();
  expect((g.rax() >> 8n) & 0xffn).toBe(0xd7n);
});

test('gs-relative operands', () => {
  const g = guest(`65 48 8b 04 25 20 00 00 00 ; mov rax, gs:[20h]\n65 48 8b 4f 08 ; mov rcx, gs:[rdi + 8]\n${RET}`);
  g.engine.registers.gsBase = DATA;
  g.memory.writeU64(at(DATA, 0x20), 77n);
  g.memory.writeU64(at(DATA, 0x48), 88n);
  expect(g.call(0x40)).toEqual(returned);
  expect([g.rax(), g.engine.registers.gpr[Register.RCX]]).toEqual([77n, 88n]);
});

test('two engines do not notice each other, and the same run gives the same numbers', () => {
  const program = 'b9 64 00 00 00 ff c9 75 fc c3 ; mov ecx, 100; dec ecx; jne; ret';
  const [a, b] = [guest(program), guest(program)];
  expect(listing(program).length).toBe(10);
  a.call();
  expect(b.engine.retired).toBe(0);
  b.call();
  expect(b.engine.retired).toBe(a.engine.retired);
});
