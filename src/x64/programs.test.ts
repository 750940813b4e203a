import { expect, test } from 'vitest';
import { at } from '../trace/units.ts';
import { CODE, CONSTANT, DATA, guest, HOST } from './testing.ts';

const returned = { kind: 'host', address: HOST };

const variants = [
  ['as it comes', {}],
  ['without inlining', { limits: { callee: 0 } }],
  ['with tail calls', { tailCalls: true, limits: { callee: 0 } }],
  ['with exact flags', { exactFlags: true }],
  ['in tiny regions', { limits: { region: 3, inlined: 4, callee: 2 } }],
  ['in slices of seven instructions', { slice: 7 }],
] as const;

for (const [name, options] of variants) {
  test(`a loop, ${name}`, () => {
    const g = guest(
      `
    b8 00 00 00 00                  ; mov eax, 0
    b9 0a 00 00 00                  ; mov ecx, 10
    01 c8                           ; add eax, ecx
    ff c9                           ; dec ecx
    75 fa                           ; jne
    c3                              ; ret`,
      options,
    );
    expect(g.call()).toEqual(returned);
    expect(g.rax()).toBe(55n);
    expect(g.engine.retired).toBe(33);
  });

  test(`recursion, ${name}`, () => {
    const g = guest(
      `
    53                              ; push rbx
    57                              ; push rdi
    89 f8                           ; mov eax, edi
    83 ff 02                        ; cmp edi, 2
    72 17                           ; jb done
    ff cf                           ; dec edi
    e8 f0 ff ff ff                  ; call self
    89 c3                           ; mov ebx, eax
    48 8b 3c 24                     ; mov rdi, qword ptr [rsp]
    83 ef 02                        ; sub edi, 2
    e8 e2 ff ff ff                  ; call self
    01 d8                           ; add eax, ebx
    5f                              ; pop rdi
    5b                              ; pop rbx
    c3                              ; ret`,
      options,
    );
    expect(g.call(12)).toEqual(returned);
    expect(g.rax()).toBe(144n);
  });

  test(`small functions called in a loop, ${name}`, () => {
    const g = guest(
      `
    b9 e8 03 00 00                  ; mov ecx, 1000
    31 c0                           ; xor eax, eax
    e8 0a 00 00 00                  ; call addone
    e8 05 00 00 00                  ; call addone
    ff c9                           ; dec ecx
    75 f2                           ; jne
    c3                              ; ret
    83 c0 01                        ; addone: add eax, 1
    c3                              ; ret`,
      options,
    );
    expect(g.call()).toEqual(returned);
    expect(g.rax()).toBe(2000n);
    expect(g.engine.retired).toBe(8003);
  });

  test(`a return address that the callee replaced, ${name}`, () => {
    const g = guest(
      `
    e8 06 00 00 00                  ; call f
    b8 01 00 00 00                  ; mov eax, 1
    c3                              ; ret
    48 8d 15 05 00 00 00            ; f: lea rdx, [rip + 5]
    48 89 14 24                     ; mov qword ptr [rsp], rdx
    c3                              ; ret
    b8 02 00 00 00                  ; mov eax, 2
    c3                              ; ret`,
      options,
    );
    expect(g.call()).toEqual(returned);
    expect(g.rax()).toBe(2n);
  });

  test(`a flag returned across a call, ${name}`, () => {
    const g = guest(
      `
    e8 08 00 00 00                  ; call f
    72 03                           ; jb yes
    31 c0                           ; xor eax, eax
    c3                              ; ret
    b0 01                           ; yes: mov al, 1
    c3                              ; ret
    83 ff 05                        ; f: cmp edi, 5
    c3                              ; ret`,
      options,
    );
    expect([g.call(4), g.rax() & 0xffn]).toEqual([returned, 1n]);
    expect([g.call(5), g.rax()]).toEqual([returned, 0n]);
  });

  test(`repeated moves, ${name}`, () => {
    const g = guest(
      `
    48 89 ca                        ; mov rdx, rcx
    48 c1 e9 03                     ; shr rcx, 3
    f3 48 a5                        ; rep movsq
    48 89 d1                        ; mov rcx, rdx
    83 e1 07                        ; and ecx, 7
    f3 a4                           ; rep movsb
    c3                              ; ret`,
      options,
    );
    g.memory.raw(CONSTANT, 100).set(Uint8Array.from({ length: 100 }, (_, i) => i + 1));
    expect(g.call(DATA, CONSTANT, 0, 99)).toEqual(returned);
    expect(g.memory.read(DATA, 100)).toEqual(Uint8Array.from({ length: 100 }, (_, i) => (i < 99 ? i + 1 : 0)));
  });

  test(`a jump table, ${name}`, () => {
    const g = guest(
      `
    48 8d 15 09 00 00 00            ; lea rdx, [rip + 9]
    48 63 04 ba                     ; movsxd rax, dword ptr [rdx + 4*rdi]
    48 01 d0                        ; add rax, rdx
    ff e0                           ; jmp rax
    08 00 00 00 0e 00 00 00         ; table
    b8 0b 00 00 00 c3               ; mov eax, 11; ret
    b8 16 00 00 00 c3               ; mov eax, 22; ret`,
      options,
    );
    expect([g.call(0), g.rax()]).toEqual([returned, 11n]);
    expect([g.call(1), g.rax()]).toEqual([returned, 22n]);
  });

  test(`a loop over a table of jumps, one target reading the flags of the jump, ${name}`, () => {
    const g = guest(
      `
    31 c0 31 c9                     ; xor eax, eax; xor ecx, ecx
    39 f1 74 2d                     ; next: cmp ecx, esi; je done
    89 ca ff c1                     ; mov edx, ecx; inc ecx
    44 69 c2 b1 79 37 9e            ; imul r8d, edx, 0x9e3779b1
    41 c1 e8 1d                     ; shr r8d, 29
    41 83 f8 04                     ; cmp r8d, 4
    42 ff 24 c7                     ; jmp qword ptr [rdi + 8*r8]
    48 ff c0 eb e0                  ; inc rax; jmp next
    48 8d 04 40 eb da               ; lea rax, [rax + 2*rax]; jmp next
    48 31 d0 eb d5                  ; xor rax, rdx; jmp next
    48 83 d0 05 eb cf               ; adc rax, 5; jmp next
    c3                              ; done: ret`,
      { slice: 20, ...options },
    );
    const places = [0x1f, 0x24, 0x2a, 0x2f];
    for (let i = 0; i < 8; i++) g.memory.writePointer(at(DATA, 8 * i), at(CODE, places[i & 3]!));
    let expected = 0n;
    for (let i = 0; i < 300; i++) {
      const index = Math.imul(i, 0x9e3779b1) >>> 29;
      if ((index & 3) === 0) expected++;
      else if ((index & 3) === 1) expected *= 3n;
      else if ((index & 3) === 2) expected ^= BigInt(i);
      else expected += index < 4 ? 6n : 5n;
      expected = BigInt.asUintN(64, expected);
    }
    for (let again = 0; again < 3; again++) expect([g.call(DATA, 300), g.rax()]).toEqual([returned, expected]);
    // a target that was not seen before
    g.memory.writePointer(at(DATA, 0), at(CODE, 0x35));
    expect(g.call(DATA, 300)).toEqual(returned);
  });
}

test('a driver unloaded and another loaded at the same place: its code runs', () => {
  const g = guest('b8 01 00 00 00 c3 ; mov eax, 1; ret');
  expect([g.call(), g.rax()]).toEqual([returned, 1n]);
  g.memory.raw(at(CODE, 1), 1)[0] = 7;
  g.engine.removeCode(CODE, 6);
  expect(g.call()).toMatchObject({ kind: 'fault', access: 'execute', address: CODE });
  g.engine.addCode(CODE, 6);
  expect([g.call(), g.rax()]).toEqual([returned, 7n]);
});
