/**
 * The load configuration directory: the variables a loader must fill before any code runs.
 * Source: Microsoft, "PE Format", "The Load Configuration Structure", https://learn.microsoft.com/windows/win32/debug/pe-format
 * and the later fields from IMAGE_LOAD_CONFIG_DIRECTORY64 in the SDK's winnt.h. The structure grew over the years: its own
 * first field says how much of it is there.
 */
import { hex } from '../trace/units.ts';
import { ImageError } from './errors.ts';
import type { DataDirectory, LoadConfig } from './image.ts';
import type { Layout } from './layout.ts';

/** Byte offsets in IMAGE_LOAD_CONFIG_DIRECTORY64. */
const SECURITY_COOKIE = 88;
const SE_HANDLER_COUNT = 104;
const GUARD_CHECK = 112;
const GUARD_DISPATCH = 120;
const GUARD_FUNCTION_COUNT = 136;
const GUARD_FLAGS = 144;
const CHPE_METADATA = 200;
const XFG_CHECK = 280;
const XFG_DISPATCH = 288;
const XFG_TABLE_DISPATCH = 296;

export function readLoadConfig(layout: Layout, directory: DataDirectory, imageBase: bigint): LoadConfig | undefined {
  if (directory.rva === 0 || directory.size === 0) return undefined;
  const reader = layout.reader('bad-load-config', 'the load configuration');
  const at = directory.rva;
  const size = reader.u32(at);
  const u32 = (offset: number) => (offset + 4 <= size ? reader.u32(at + offset) : 0);
  const u64 = (offset: number) => (offset + 8 <= size ? reader.u64(at + offset) : 0n);
  const variable = (offset: number, name: string): number | undefined => {
    const address = u64(offset);
    if (address === 0n) return undefined;
    const rva = address - imageBase;
    const span = rva >= 0n && rva <= 0xffff_ffffn ? layout.find(Number(rva)) : undefined;
    if (!span || Number(rva) + 8 > span.rva + span.size) {
      throw reader.error(`places ${name} outside the image, at ${hex(address)}`);
    }
    return Number(rva);
  };
  if (u64(CHPE_METADATA) !== 0n) {
    throw new ImageError('wrong-machine', 'this is a hybrid ARM64 (ARM64EC) image; haltex runs x64 drivers only.');
  }
  return {
    securityCookie: variable(SECURITY_COOKIE, 'the security cookie'),
    guardCheckPointer: variable(GUARD_CHECK, 'the control flow guard check pointer'),
    guardDispatchPointer: variable(GUARD_DISPATCH, 'the control flow guard dispatch pointer'),
    guardXfgCheckPointer: variable(XFG_CHECK, 'the extended flow guard check pointer'),
    guardXfgDispatchPointer: variable(XFG_DISPATCH, 'the extended flow guard dispatch pointer'),
    guardXfgTableDispatchPointer: variable(XFG_TABLE_DISPATCH, 'the extended flow guard table dispatch pointer'),
    guardFlags: u32(GUARD_FLAGS),
    guardFunctionCount: Number(u64(GUARD_FUNCTION_COUNT) & 0xffff_ffffn),
    seHandlerCount: Number(u64(SE_HANDLER_COUNT) & 0xffff_ffffn),
  };
}
