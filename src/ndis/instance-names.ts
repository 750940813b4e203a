/** The adapter's friendly name, in memory the driver owes. Pages: ndis-ndismqueryadapterinstancename, ndis-ndisqueryadapterinstancename. */
import type { View } from '../kernel/layout.ts';
import { D, failsWith, functionsOf, HANDLE, OUT, type Out, P } from '../kernel/record.ts';
import { UNICODE_STRING, wideBytes } from '../kernel/strings.ts';
import type { Handle } from '../trace/units.ts';
import { checkHandle } from './handles.ts';
import type { Ndis } from './ndis.ts';
import { NDIS_STATUS_FAILURE, NDIS_STATUS_RESOURCES, NDIS_STATUS_SUCCESS } from './status.ts';

type Name = Out<View<typeof UNICODE_STRING.fields>>;

function query(ndis: Ndis, handle: Handle, name: Name, fn: string): number {
  const { pool, memory } = ndis.kernel;
  if (!checkHandle(ndis, handle, fn, ['adapter'])) return NDIS_STATUS_FAILURE;
  const data = wideBytes(`${ndis.adapterOf(handle)?.device?.name ?? 'haltex virtual adapter'}\0`);
  const Buffer = pool.allocate({ size: data.length, what: 'adapter instance name' });
  memory.write(Buffer, data);
  UNICODE_STRING.write(memory, name.address, { Length: data.length - 2, MaximumLength: data.length, Buffer });
  return NDIS_STATUS_SUCCESS;
}

const f = functionsOf<Ndis>();
const acquired = {
  type: 'adapter-instance-name',
  key: ({ pAdapterInstanceName }: { pAdapterInstanceName: Name }) => pAdapterInstanceName.get().Buffer,
  detail: () => ({ MemoryFlags: 0 }),
} as const;

export const instanceNameFunctions = {
  NdisMQueryAdapterInstanceName: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndismqueryadapterinstancename',
    params: { pAdapterInstanceName: OUT(UNICODE_STRING), MiniportHandle: HANDLE },
    returns: 'status',
    irql: P,
    acquires: { ...acquired, owner: ({ MiniportHandle }) => MiniportHandle },
    failures: [failsWith('resources', NDIS_STATUS_RESOURCES)],
    body: (ndis, { pAdapterInstanceName, MiniportHandle }, { fn }) =>
      query(ndis, MiniportHandle, pAdapterInstanceName, fn),
  }),
  NdisQueryAdapterInstanceName: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndisqueryadapterinstancename',
    params: { pAdapterInstanceName: OUT(UNICODE_STRING), NdisBindingHandle: HANDLE },
    returns: 'status',
    irql: D,
    acquires: { ...acquired, owner: ({ NdisBindingHandle }) => NdisBindingHandle },
    failures: [failsWith('resources', NDIS_STATUS_RESOURCES)],
    body: (ndis, { pAdapterInstanceName, NdisBindingHandle }, { fn }) =>
      query(ndis, NdisBindingHandle, pAdapterInstanceName, fn),
  }),
};
