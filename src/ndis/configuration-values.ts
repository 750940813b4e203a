/** Registry values as NDIS gives them to drivers: NDIS_CONFIGURATION_PARAMETER knows four kinds. */
import { type RegistryInit, type RegistryValue, RegType } from '../kernel/registry.ts';
import { wideBytes } from '../kernel/strings.ts';

export type ConfigurationValue =
  | { readonly type: 'integer'; readonly value: number }
  /** `multiString`: its parts with their zeroes between and after. */
  | { readonly type: 'string' | 'multiString'; readonly value: string }
  | { readonly type: 'binary'; readonly value: Uint8Array };

function text(data: Uint8Array): string {
  const units = new Uint16Array(data.length >> 1);
  for (let i = 0; i < units.length; i++) units[i] = (data[2 * i] as number) | ((data[2 * i + 1] as number) << 8);
  return String.fromCharCode(...units);
}

/** Undefined for a type of the registry that NDIS does not read. */
export function fromRegistry({ type, data }: RegistryValue): ConfigurationValue | undefined {
  switch (type) {
    case RegType.DWORD:
      return { type: 'integer', value: new DataView(data.buffer, data.byteOffset).getUint32(0, true) };
    case RegType.SZ:
    case RegType.EXPAND_SZ:
      return { type: 'string', value: text(data).replace(/\0.*$/s, '') };
    case RegType.MULTI_SZ:
      return { type: 'multiString', value: text(data) };
    case RegType.BINARY:
      return { type: 'binary', value: data };
    default:
      return undefined;
  }
}

export function toRegistry(value: ConfigurationValue): RegistryInit {
  if (value.type === 'multiString') return { type: RegType.MULTI_SZ, data: wideBytes(value.value) };
  return value.value;
}
