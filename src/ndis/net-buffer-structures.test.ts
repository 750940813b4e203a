import { describe, expect, it } from 'vitest';
import {
  NET_BUFFER,
  NET_BUFFER_LIST,
  NET_BUFFER_LIST_CONTEXT,
  NET_BUFFER_LIST_POOL_PARAMETERS,
  NET_BUFFER_POOL_PARAMETERS,
} from './net-buffer-structures.ts';

describe('layouts of the kit for x64', () => {
  it('NET_BUFFER', () => {
    const offsets = Object.keys(NET_BUFFER.fields).map((field) => [field, NET_BUFFER.offset(field as never)]);
    expect(Object.fromEntries(offsets)).toEqual({
      Next: 0,
      CurrentMdl: 8,
      CurrentMdlOffset: 0x10,
      DataLength: 0x18,
      MdlChain: 0x20,
      DataOffset: 0x28,
      ChecksumBias: 0x30,
      Reserved: 0x32,
      NdisPoolHandle: 0x38,
      NdisReserved: 0x40,
      ProtocolReserved: 0x50,
      MiniportReserved: 0x80,
      DataPhysicalAddress: 0xa0,
      SharedMemoryInfo: 0xa8,
    });
    expect(NET_BUFFER.size).toBe(176);
  });

  it('NET_BUFFER_LIST', () => {
    const offsets = Object.keys(NET_BUFFER_LIST.fields).map((field) => [field, NET_BUFFER_LIST.offset(field as never)]);
    expect(Object.fromEntries(offsets)).toEqual({
      Next: 0,
      FirstNetBuffer: 8,
      Context: 0x10,
      ParentNetBufferList: 0x18,
      NdisPoolHandle: 0x20,
      NdisReserved: 0x30,
      ProtocolReserved: 0x40,
      MiniportReserved: 0x60,
      Scratch: 0x70,
      SourceHandle: 0x78,
      NblFlags: 0x80,
      ChildRefCount: 0x84,
      Flags: 0x88,
      Status: 0x8c,
      NetBufferListInfo: 0x90,
    });
  });

  it('contexts and pool parameters', () => {
    expect(NET_BUFFER_LIST_CONTEXT.offset('Size')).toBe(8);
    expect(NET_BUFFER_LIST_CONTEXT.offset('Offset')).toBe(10);
    expect(NET_BUFFER_LIST_CONTEXT.offset('ContextData')).toBe(16);
    expect(NET_BUFFER_LIST_CONTEXT.size).toBe(16);
    expect(NET_BUFFER_LIST_POOL_PARAMETERS.offset('ContextSize')).toBe(6);
    expect(NET_BUFFER_LIST_POOL_PARAMETERS.offset('DataSize')).toBe(12);
    expect(NET_BUFFER_LIST_POOL_PARAMETERS.size).toBe(16);
    expect(NET_BUFFER_POOL_PARAMETERS.size).toBe(12);
  });
});
