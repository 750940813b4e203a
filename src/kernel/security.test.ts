import { expect, it } from 'vitest';
import { type Address, at, NULL } from '../trace/units.ts';
import { SECURITY_DESCRIPTOR, sidText } from './security.ts';
import { testKernel } from './testing.ts';

it('builds a descriptor, makes it self-relative, and checks access against it', () => {
  const { kernel, wdk, run } = testKernel();
  const { memory, heap } = kernel;
  const sid = heap.allocate(16, 'SID', { fill: 0 });
  const authority = heap.allocate(6, 'authority', { fill: 0 });
  memory.writeU8(at(authority, 5), 5);
  const acl = heap.allocate(64, 'ACL', { fill: 0 });
  const descriptor = heap.allocate(SECURITY_DESCRIPTOR.size, 'SECURITY_DESCRIPTOR', { fill: 0 });
  const relative = heap.allocate(256, 'self-relative', { fill: 0 });
  const length = heap.allocate(4, 'length', { fill: 0 });
  expect(SECURITY_DESCRIPTOR.size).toBe(40);
  run(function* () {
    yield* wdk.RtlInitializeSid({ Sid: sid, IdentifierAuthority: authority, SubAuthorityCount: 2 });
    memory.writeU32(yield* wdk.RtlSubAuthoritySid({ Sid: sid, SubAuthority: 0 }), 32);
    memory.writeU32(yield* wdk.RtlSubAuthoritySid({ Sid: sid, SubAuthority: 1 }), 544);
    expect(sidText(memory, sid)).toBe('S-1-5-32-544');
    yield* wdk.RtlCreateAcl({ Acl: acl, AclLength: 40, AclRevision: 2 });
    const ace = { Acl: acl, AceRevision: 2, AccessMask: 0x80000000, Sid: sid };
    expect(yield* wdk.RtlAddAccessAllowedAce(ace)).toBe(0);
    expect(yield* wdk.RtlAddAccessAllowedAce(ace)).toBe(0xc0000099);
    yield* wdk.RtlCreateSecurityDescriptor({ SecurityDescriptor: descriptor, Revision: 1 });
    yield* wdk.RtlSetDaclSecurityDescriptor({
      SecurityDescriptor: descriptor,
      DaclPresent: true,
      Dacl: acl,
      DaclDefaulted: false,
    });
    const convert = { Absolute: descriptor, SelfRelative: relative, BufferLength: length };
    expect(yield* wdk.RtlAbsoluteToSelfRelativeSD(convert)).toBe(0xc0000023);
    expect(memory.readU32(length)).toBe(60);
    expect(yield* wdk.RtlAbsoluteToSelfRelativeSD(convert)).toBe(0);
    const GenericMapping = yield* wdk.IoGetFileObjectGenericMapping({});
    const check = (SecurityDescriptor: Address, DesiredAccess: number, AccessMode: number) =>
      wdk.SeAccessCheck({
        SecurityDescriptor,
        SubjectSecurityContext: NULL,
        SubjectContextLocked: false,
        DesiredAccess,
        PreviouslyGrantedAccess: 0,
        Privileges: NULL,
        GenericMapping,
        AccessMode,
      });
    expect(yield* check(relative, 0x80000000, 1)).toMatchObject({ result: true, GrantedAccess: 0x120089 });
    expect(yield* check(descriptor, 0x40000000, 1)).toMatchObject({ result: false, AccessStatus: 0xc0000022 });
    expect(yield* check(descriptor, 0x40000000, 0)).toMatchObject({ result: true });
  });
});
