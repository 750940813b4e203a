import { describe, expect, it } from 'vitest';
import { type Address, DISPATCH_LEVEL, PASSIVE_LEVEL } from '../trace/units.ts';
import { Shadow } from '../x64/memory.ts';
import { accessViolation, describeAccess, fatalAccess, processorException, type RefusedAccess } from './faults.ts';

const KERNEL = -0x7ff_ffff_0000 as Address;
const refused = (
  access: RefusedAccess['access'],
  address: number,
  shadow: number = Shadow.Unmapped,
  size = 4,
): RefusedAccess => ({ access, address: address as Address, size, shadow });

describe('refused accesses', () => {
  it('are exceptions in user space, below DISPATCH_LEVEL', () => {
    const data = accessViolation(refused('write', 0x1000), PASSIVE_LEVEL, KERNEL);
    expect(data).toMatchObject({ code: 0xc0000005, parameters: [1n, 0x1000n], address: KERNEL });
    expect(accessViolation(refused('write', 0x1000), DISPATCH_LEVEL, KERNEL)).toBeUndefined();
    expect(accessViolation(refused('read', KERNEL), PASSIVE_LEVEL, KERNEL)).toBeUndefined();
  });

  it('are general protection faults at addresses that are none', () => {
    const data = accessViolation(refused('read', 0x4141_4141_4141_00), DISPATCH_LEVEL, KERNEL);
    expect(data?.parameters).toEqual([0n, 0xffff_ffff_ffff_ffffn]);
  });

  it.each([
    ['freed memory', refused('read', KERNEL, Shadow.Freed), PASSIVE_LEVEL, false, 0x50],
    ['freed memory at DISPATCH_LEVEL', refused('read', KERNEL, Shadow.Freed), DISPATCH_LEVEL, false, 0xd1],
    ['… by the kernel', refused('read', KERNEL, Shadow.Freed), DISPATCH_LEVEL, true, 0x0a],
    ['pageable memory at DISPATCH_LEVEL', refused('write', KERNEL, Shadow.Pageable), DISPATCH_LEVEL, false, 0xd1],
    ['NULL at DISPATCH_LEVEL', refused('read', 8), DISPATCH_LEVEL, false, 0xd1],
    ['code', refused('write', KERNEL, Shadow.ReadOnly), DISPATCH_LEVEL, false, 0xbe],
    ['data as code', refused('execute', KERNEL, Shadow.ReadWrite), PASSIVE_LEVEL, false, 0xfc],
    ['nothing as code', refused('execute', KERNEL), PASSIVE_LEVEL, false, 0x50],
    ['the page below the stack', refused('write', KERNEL, Shadow.StackGuard), PASSIVE_LEVEL, false, 0x7f],
  ] as const)('end the machine: %s', (_what, fault, irql, byKernel, code) => {
    expect(fatalAccess(fault, irql, byKernel).code).toBe(code);
  });

  it('read as a sentence', () => {
    expect(describeAccess(refused('write', 0, Shadow.Unmapped, 1))).toBe('writes 1 byte at 0x0 (a NULL pointer)');
  });
});

describe('processor exceptions', () => {
  it('become status codes', () => {
    expect(processorException(0, KERNEL)?.code).toBe(0xc0000094);
    expect(processorException(3, (KERNEL + 1) as Address)?.address).toBe(KERNEL);
    expect(processorException(0x29, KERNEL)).toBeUndefined();
  });
});
