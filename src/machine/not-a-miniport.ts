/** Drivers that are not what haltex checks, told by their imports before anything runs. */
import type { Image } from '../image/image.ts';

const REGISTERS = 'NdisMRegisterMiniportDriver';

/** What a driver that imports one of these, and not the registration of a miniport, is. */
const kinds: readonly (readonly [imports: string, kind: string])[] = [
  ['NdisFRegisterFilterDriver', 'an NDIS filter driver'],
  ['NdisRegisterProtocolDriver', 'an NDIS protocol driver'],
  ['NdisMRegisterMiniport', 'a miniport of NDIS 5'],
  ['NdisInitializeWrapper', 'a miniport of NDIS 5'],
  ['NdisRegisterProtocol', 'a protocol driver of NDIS 5'],
  ['WdfVersionBind', 'a driver of the Windows Driver Framework (a NetAdapterCx driver, if it drives a NIC)'],
];

/** Why the image cannot be a miniport of NDIS 6, in one sentence; undefined when it may be one. */
export function notAMiniport({ imports }: Image): string | undefined {
  const symbols = imports.flatMap((dll) => dll.symbols.map(({ name }) => ({ dll: dll.name, name })));
  const names = new Set(symbols.map(({ name }) => name));
  if (names.has(REGISTERS)) return undefined;
  const found = kinds.find(([name]) => names.has(name));
  if (found !== undefined) {
    return `this is ${found[1]}: it imports ${found[0]}, and not ${REGISTERS}. haltex checks miniport drivers of NDIS 6.`;
  }
  // Imported by number, or looked up at run time: only a run can tell.
  if (names.has('NdisGetRoutineAddress') || symbols.some(({ dll, name }) => isNdis(dll) && name === undefined)) {
    return undefined;
  }
  const what = symbols.some(({ dll }) => isNdis(dll)) ? 'it never imports' : 'it imports nothing from NDIS.SYS, so not';
  return `this is not a network miniport driver: ${what} ${REGISTERS}. haltex checks miniport drivers of NDIS 6.`;
}

const isNdis = (dll: string) => dll.toLowerCase() === 'ndis.sys';
