/** MDLs that NDIS makes for drivers. What an MDL is stands in kernel/mdl.ts. Pages: mdlapi-ndisallocatemdl, mdlapi-ndisfreemdl. */
import { D, failsNull, functionsOf, HANDLE, POINTER, ULONG } from '../kernel/record.ts';
import { type Address, at, hex } from '../trace/units.ts';
import { Shadow } from '../x64/memory.ts';
import { emitFact } from './facts.ts';
import type { Ndis } from './ndis.ts';

/** The page allows nonpaged pool, NDIS memory and shared memory only; what it names as wrong is a fact. */
function checkSource(ndis: Ndis, address: Address, length: number): void {
  const { heap, memory } = ndis.kernel;
  const block = heap.blockAt(address);
  const shadows: readonly number[] = [address, at(address, Math.max(0, length - 1))].map((byte) =>
    memory.shadowAt(byte),
  );
  const pageable = shadows.includes(Shadow.Pageable) || shadows.includes(Shadow.PageableReadOnly);
  const stack = block?.what.includes('stack') === true;
  if (!pageable && !stack) return;
  emitFact(ndis.kernel, 'mdl-source-not-nonpaged', {
    address: hex(address),
    length,
    block: block?.what ?? null,
    reason: stack ? 'kernel stack' : 'pageable',
  });
}

const f = functionsOf<Ndis>();

export const ndisMdlFunctions = {
  NdisAllocateMdl: f({
    module: 'NDIS.SYS',
    page: 'mdlapi-ndisallocatemdl',
    params: { NdisHandle: HANDLE, VirtualAddress: POINTER, Length: ULONG },
    returns: 'pointer',
    irql: D,
    acquires: {
      type: 'mdl',
      key: (_, result) => result,
      owner: ({ NdisHandle }) => NdisHandle,
      detail: ({ VirtualAddress, Length }) => ({ VirtualAddress: hex(VirtualAddress), Length }),
    },
    failures: [failsNull],
    body(ndis, { VirtualAddress, Length }) {
      checkSource(ndis, VirtualAddress, Length);
      return ndis.kernel.mdls.describe(VirtualAddress, Length, 'MDL', ndis.kernel.stack()).address;
    },
  }),

  NdisFreeMdl: f({
    module: 'NDIS.SYS',
    page: 'mdlapi-ndisfreemdl',
    params: { Mdl: POINTER },
    returns: 'void',
    irql: D,
    undoes: { types: ['mdl'], key: ({ Mdl }) => Mdl, otherwise: () => undefined },
    body(ndis, { Mdl }) {
      ndis.kernel.mdls.free(Mdl, ndis.kernel.stack());
      return undefined;
    },
  }),
};
