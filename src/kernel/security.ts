/**
 * Security identifiers, access lists and descriptors, in their real little structures, and the access check. Callers are an
 * administrator (assumed: who else opens a network driver's device), kernel callers get everything, as documented.
 * Pages: ntifs-rtlcreateacl, ntifs-rtladdaccessallowedace, wdm-rtlcreatesecuritydescriptor, wdm-seaccesscheck, …
 */
import { type Address, at, NULL } from '../trace/units.ts';
import type { GuestMemory } from '../x64/memory.ts';
import type { Kernel } from './kernel.ts';
import { pointer, struct, u8, u16, u32 } from './layout.ts';
import { moveMemory } from './memory-routines.ts';
import { A, BOOLEAN, functionsOf, IN, OUT, P, POINTER, UCHAR, ULONG } from './record.ts';
import { Status } from './status.ts';

export const SECURITY_DESCRIPTOR = struct('SECURITY_DESCRIPTOR', {
  Revision: u8,
  Sbz1: u8,
  Control: u16,
  Owner: pointer,
  Group: pointer,
  Sacl: pointer,
  Dacl: pointer,
});
export const ACL = struct('ACL', { AclRevision: u8, Sbz1: u8, AclSize: u16, AceCount: u16, Sbz2: u16 });
export const GENERIC_MAPPING = struct('GENERIC_MAPPING', {
  GenericRead: u32,
  GenericWrite: u32,
  GenericExecute: u32,
  GenericAll: u32,
});
export const SECURITY_SUBJECT_CONTEXT = struct('SECURITY_SUBJECT_CONTEXT', {
  ClientToken: pointer,
  ImpersonationLevel: u32,
  PrimaryToken: pointer,
  ProcessAuditId: pointer,
});
type Descriptor = ReturnType<typeof SECURITY_DESCRIPTOR.at>;
type Mapping = ReturnType<typeof GENERIC_MAPPING.at>;

const Control = {
  ownerDefaulted: 1,
  groupDefaulted: 2,
  daclPresent: 4,
  daclDefaulted: 8,
  saclPresent: 16,
  relative: 0x8000,
};
const REVISION = 1;
const ACE_HEADER = 8;
const Generic = { all: 0x1000_0000, execute: 0x2000_0000, write: 0x4000_0000, read: 0x8000_0000 };
const MAXIMUM_ALLOWED = 0x0200_0000;

const sidSize = (subAuthorities: number) => 8 + 4 * subAuthorities;
const sizeOfSid = (memory: GuestMemory, sid: Address) => sidSize(memory.readU8(at(sid, 1)));

/** `S-1-5-18`. */
export function sidText(memory: GuestMemory, sid: Address): string {
  const count = memory.readU8(at(sid, 1));
  const authority = memory.read(at(sid, 2), 6).reduce((value, byte) => value * 256 + byte, 0);
  const parts = Array.from({ length: count }, (_, i) => memory.readU32(at(sid, 8 + 4 * i)));
  return ['S', memory.readU8(sid), authority, ...parts].join('-');
}

/** Everyone, authenticated users, LocalSystem, administrators: whose rights the caller has. */
const CALLER: ReadonlySet<string> = new Set(['S-1-1-0', 'S-1-5-11', 'S-1-5-18', 'S-1-5-32-544']);

function mapped(mask: number, mapping: Mapping): number {
  let rights = mask & 0x0fff_ffff;
  if ((mask & Generic.read) !== 0) rights |= mapping.GenericRead;
  if ((mask & Generic.write) !== 0) rights |= mapping.GenericWrite;
  if ((mask & Generic.execute) !== 0) rights |= mapping.GenericExecute;
  if ((mask & Generic.all) !== 0) rights |= mapping.GenericAll;
  return rights >>> 0;
}

/** The DACL's address, NULL when everyone may do everything. */
function daclOf(memory: GuestMemory, { address, Control: control, Dacl }: Descriptor): Address {
  if ((control & Control.daclPresent) === 0) return NULL;
  if ((control & Control.relative) === 0) return Dacl;
  const offset = memory.readU32(at(address, 16));
  return offset === 0 ? NULL : at(address, offset);
}

/** Walks the list: what is allowed to the caller and not denied before. */
function allowed(memory: GuestMemory, dacl: Address, mapping: Mapping): number {
  let [granted, denied] = [0, 0];
  let ace = at(dacl, ACL.size);
  for (let i = 0; i < ACL.at(memory, dacl).AceCount; i++) {
    const mask = mapped(memory.readU32(at(ace, 4)), mapping);
    if (CALLER.has(sidText(memory, at(ace, ACE_HEADER)))) {
      if (memory.readU8(ace) === 0) granted |= mask & ~denied;
      else if (memory.readU8(ace) === 1) denied |= mask & ~granted;
    }
    ace = at(ace, memory.readU16(at(ace, 2)));
  }
  return granted >>> 0;
}

const f = functionsOf<Kernel>();
const common = { module: 'ntoskrnl.exe', irql: A } as const;

const addingAce = (page: string, type: number) =>
  f({
    ...common,
    page,
    params: { Acl: IN(ACL), AceRevision: ULONG, AccessMask: ULONG, Sid: POINTER },
    returns: 'status',
    body({ memory }, { Acl, AccessMask, Sid }) {
      let end = at(Acl.address, ACL.size);
      for (let i = 0; i < Acl.AceCount; i++) end = at(end, memory.readU16(at(end, 2)));
      const size = ACE_HEADER + sizeOfSid(memory, Sid);
      if (end + size > Acl.address + Acl.AclSize) return Status.ALLOTTED_SPACE_EXCEEDED;
      memory.writeU8(end, type);
      memory.writeU8(at(end, 1), 0);
      memory.writeU16(at(end, 2), size);
      memory.writeU32(at(end, 4), AccessMask);
      moveMemory(memory, at(end, ACE_HEADER), Sid, size - ACE_HEADER);
      Acl.AceCount++;
      return Status.SUCCESS;
    },
  });

const setting = (page: string, field: 'Owner' | 'Group', flag: number) =>
  f({
    ...common,
    page,
    params: { SecurityDescriptor: IN(SECURITY_DESCRIPTOR), Sid: POINTER, Defaulted: BOOLEAN },
    returns: 'status',
    body(_, { SecurityDescriptor: descriptor, Sid, Defaulted }) {
      if ((descriptor.Control & Control.relative) !== 0) return Status.INVALID_SECURITY_DESCR;
      descriptor[field] = Sid;
      descriptor.Control = (descriptor.Control & ~flag) | (Defaulted ? flag : 0);
      return Status.SUCCESS;
    },
  });

export const securityFunctions = {
  RtlLengthRequiredSid: f({
    ...common,
    page: 'ntifs-rtllengthrequiredsid',
    params: { SubAuthorityCount: ULONG },
    returns: 'u32',
    body: (_, { SubAuthorityCount }) => sidSize(SubAuthorityCount),
  }),
  RtlLengthSid: f({
    ...common,
    page: 'ntifs-rtllengthsid',
    params: { Sid: POINTER },
    returns: 'u32',
    body: ({ memory }, { Sid }) => sizeOfSid(memory, Sid),
  }),
  RtlInitializeSid: f({
    ...common,
    page: 'ntifs-rtlinitializesid',
    params: { Sid: POINTER, IdentifierAuthority: POINTER, SubAuthorityCount: UCHAR },
    returns: 'status',
    body({ memory }, { Sid, IdentifierAuthority, SubAuthorityCount }) {
      if (SubAuthorityCount > 15) return Status.INVALID_PARAMETER;
      memory.writeU8(Sid, REVISION);
      memory.writeU8(at(Sid, 1), SubAuthorityCount);
      moveMemory(memory, at(Sid, 2), IdentifierAuthority, 6);
      return Status.SUCCESS;
    },
  }),
  RtlSubAuthoritySid: f({
    ...common,
    page: 'ntifs-rtlsubauthoritysid',
    params: { Sid: POINTER, SubAuthority: ULONG },
    returns: 'pointer',
    body: (_, { Sid, SubAuthority }) => at(Sid, 8 + 4 * SubAuthority),
  }),
  RtlSubAuthorityCountSid: f({
    ...common,
    page: 'ntifs-rtlsubauthoritycountsid',
    params: { Sid: POINTER },
    returns: 'pointer',
    body: (_, { Sid }) => at(Sid, 1),
  }),
  RtlValidSid: f({
    ...common,
    page: 'ntifs-rtlvalidsid',
    params: { Sid: POINTER },
    returns: 'bool',
    body: ({ memory }, { Sid }) => Sid !== NULL && memory.readU8(Sid) === REVISION && memory.readU8(at(Sid, 1)) <= 15,
  }),
  RtlEqualSid: f({
    ...common,
    page: 'ntifs-rtlequalsid',
    params: { Sid1: POINTER, Sid2: POINTER },
    returns: 'bool',
    body: ({ memory }, { Sid1, Sid2 }) => sidText(memory, Sid1) === sidText(memory, Sid2),
  }),
  RtlCopySid: f({
    ...common,
    page: 'ntifs-rtlcopysid',
    params: { DestinationSidLength: ULONG, DestinationSid: POINTER, SourceSid: POINTER },
    returns: 'status',
    body({ memory }, { DestinationSidLength, DestinationSid, SourceSid }) {
      const size = sizeOfSid(memory, SourceSid);
      if (size > DestinationSidLength) return Status.BUFFER_TOO_SMALL;
      moveMemory(memory, DestinationSid, SourceSid, size);
      return Status.SUCCESS;
    },
  }),
  RtlCreateAcl: f({
    ...common,
    page: 'ntifs-rtlcreateacl',
    params: { Acl: POINTER, AclLength: ULONG, AclRevision: ULONG },
    returns: 'status',
    body({ memory }, { Acl, AclLength, AclRevision }) {
      if (AclLength < ACL.size) return Status.BUFFER_TOO_SMALL;
      if (AclRevision < 2 || AclRevision > 4 || AclLength > 0xffff) return Status.INVALID_PARAMETER;
      ACL.write(memory, Acl, { AclRevision, Sbz1: 0, AclSize: AclLength & ~3, AceCount: 0, Sbz2: 0 });
      return Status.SUCCESS;
    },
  }),
  RtlAddAccessAllowedAce: addingAce('ntifs-rtladdaccessallowedace', 0),
  RtlCreateSecurityDescriptor: f({
    ...common,
    page: 'wdm-rtlcreatesecuritydescriptor',
    params: { SecurityDescriptor: POINTER, Revision: ULONG },
    returns: 'status',
    body({ memory }, { SecurityDescriptor, Revision }) {
      if (Revision !== REVISION) return Status.REVISION_MISMATCH;
      memory.fill(SecurityDescriptor, SECURITY_DESCRIPTOR.size, 0);
      memory.writeU8(SecurityDescriptor, Revision);
      return Status.SUCCESS;
    },
  }),
  RtlSetDaclSecurityDescriptor: f({
    ...common,
    page: 'wdm-rtlsetdaclsecuritydescriptor',
    params: {
      SecurityDescriptor: IN(SECURITY_DESCRIPTOR),
      DaclPresent: BOOLEAN,
      Dacl: POINTER,
      DaclDefaulted: BOOLEAN,
    },
    returns: 'status',
    body(_, { SecurityDescriptor: descriptor, DaclPresent, Dacl, DaclDefaulted }) {
      if ((descriptor.Control & Control.relative) !== 0) return Status.INVALID_SECURITY_DESCR;
      descriptor.Control &= ~(Control.daclPresent | Control.daclDefaulted);
      descriptor.Dacl = NULL;
      if (!DaclPresent) return Status.SUCCESS;
      descriptor.Control |= Control.daclPresent | (DaclDefaulted ? Control.daclDefaulted : 0);
      descriptor.Dacl = Dacl;
      return Status.SUCCESS;
    },
  }),
  RtlSetOwnerSecurityDescriptor: setting('ntifs-rtlsetownersecuritydescriptor', 'Owner', Control.ownerDefaulted),
  RtlSetGroupSecurityDescriptor: setting('ntifs-rtlsetgroupsecuritydescriptor', 'Group', Control.groupDefaulted),
  RtlAbsoluteToSelfRelativeSD: f({
    ...common,
    page: 'ntifs-rtlabsolutetoselfrelativesd',
    params: { Absolute: IN(SECURITY_DESCRIPTOR), SelfRelative: POINTER, BufferLength: POINTER },
    returns: 'status',
    body({ memory }, { Absolute, SelfRelative, BufferLength }) {
      if ((Absolute.Control & Control.relative) !== 0) return Status.INVALID_SECURITY_DESCR;
      const sid = (address: Address) => (address === NULL ? 0 : sizeOfSid(memory, address));
      const acl = (address: Address) => (address === NULL ? 0 : ACL.at(memory, address).AclSize);
      const parts: [Address, number][] = [
        [Absolute.Owner, sid(Absolute.Owner)],
        [Absolute.Group, sid(Absolute.Group)],
        [Absolute.Sacl, acl(Absolute.Sacl)],
        [Absolute.Dacl, acl(Absolute.Dacl)],
      ];
      const padded = (size: number) => Math.ceil(size / 4) * 4;
      const total = parts.reduce((sum, [, size]) => sum + padded(size), RELATIVE_SIZE);
      const room = memory.readU32(BufferLength);
      memory.writeU32(BufferLength, total);
      if (room < total) return Status.BUFFER_TOO_SMALL;
      memory.fill(SelfRelative, total, 0);
      memory.writeU8(SelfRelative, REVISION);
      memory.writeU16(at(SelfRelative, 2), Absolute.Control | Control.relative);
      let end = RELATIVE_SIZE;
      for (const [i, [from, size]] of parts.entries()) {
        if (size === 0) continue;
        memory.writeU32(at(SelfRelative, 4 + 4 * i), end);
        moveMemory(memory, at(SelfRelative, end), from, size);
        end += padded(size);
      }
      return Status.SUCCESS;
    },
  }),
  RtlMapGenericMask: f({
    ...common,
    page: 'ntddk-rtlmapgenericmask',
    params: { AccessMask: POINTER, GenericMapping: IN(GENERIC_MAPPING) },
    returns: 'void',
    body({ memory }, { AccessMask, GenericMapping }) {
      memory.writeU32(AccessMask, mapped(memory.readU32(AccessMask), GenericMapping));
      return undefined;
    },
  }),
  SeCaptureSubjectContext: f({
    ...common,
    irql: P,
    page: 'wdm-secapturesubjectcontext',
    params: { SubjectContext: POINTER },
    returns: 'void',
    body({ memory, systemToken }, { SubjectContext }) {
      const PrimaryToken = systemToken();
      SECURITY_SUBJECT_CONTEXT.write(memory, SubjectContext, {
        ClientToken: NULL,
        ImpersonationLevel: 0,
        PrimaryToken,
      });
      return undefined;
    },
  }),
  SeReleaseSubjectContext: f({
    ...common,
    irql: P,
    page: 'wdm-sereleasesubjectcontext',
    params: { SubjectContext: POINTER },
    returns: 'void',
    body({ memory }, { SubjectContext }) {
      SECURITY_SUBJECT_CONTEXT.write(memory, SubjectContext, { ClientToken: NULL, PrimaryToken: NULL });
      return undefined;
    },
  }),
  SeAccessCheck: f({
    ...common,
    irql: P,
    page: 'wdm-seaccesscheck',
    params: {
      SecurityDescriptor: IN(SECURITY_DESCRIPTOR),
      SubjectSecurityContext: POINTER,
      SubjectContextLocked: BOOLEAN,
      DesiredAccess: ULONG,
      PreviouslyGrantedAccess: ULONG,
      Privileges: POINTER,
      GenericMapping: IN(GENERIC_MAPPING),
      AccessMode: UCHAR,
      GrantedAccess: OUT(u32),
      AccessStatus: OUT(u32),
    },
    returns: 'bool',
    body({ memory }, args) {
      const wanted = mapped(args.DesiredAccess & ~MAXIMUM_ALLOWED, args.GenericMapping);
      const most = (args.DesiredAccess & MAXIMUM_ALLOWED) !== 0;
      const dacl = args.AccessMode === 0 ? NULL : daclOf(memory, args.SecurityDescriptor);
      const given = dacl === NULL ? 0xffff_ffff : allowed(memory, dacl, args.GenericMapping);
      const enough = (wanted & ~given) === 0;
      const rights = most ? (dacl === NULL ? args.GenericMapping.GenericAll : given) | wanted : wanted;
      args.GrantedAccess.set(enough ? (rights | args.PreviouslyGrantedAccess) >>> 0 : 0);
      args.AccessStatus.set(enough ? Status.SUCCESS : Status.ACCESS_DENIED);
      return enough;
    },
  }),
};

/** SECURITY_DESCRIPTOR_RELATIVE: offsets instead of pointers. */
const RELATIVE_SIZE = 20;
