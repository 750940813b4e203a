/** Copies of OID requests. Pages: ndis-ndisallocatecloneoidrequest, ndis-ndisfreecloneoidrequest. */
import { pointer } from '../kernel/layout.ts';
import { tagName } from '../kernel/pool.ts';
import { D, failsWith, functionsOf, HANDLE, IN, OUT, POINTER, ULONG } from '../kernel/record.ts';
import { hex } from '../trace/units.ts';
import { NDIS_OID_REQUEST } from './driver-structures.ts';
import { checkHandle } from './handles.ts';
import type { Ndis } from './ndis.ts';
import {
  NDIS_STATUS_FAILURE,
  NDIS_STATUS_INVALID_PARAMETER,
  NDIS_STATUS_RESOURCES,
  NDIS_STATUS_SUCCESS,
} from './status.ts';

const f = functionsOf<Ndis>();

export const cloneOidFunctions = {
  NdisAllocateCloneOidRequest: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndisallocatecloneoidrequest',
    params: { SourceHandle: HANDLE, OidRequest: IN(NDIS_OID_REQUEST), PoolTag: ULONG, ClonedOidRequest: OUT(pointer) },
    returns: 'status',
    irql: D,
    acquires: {
      type: 'clone-oid',
      key: ({ ClonedOidRequest }) => ClonedOidRequest.get(),
      owner: ({ SourceHandle }) => SourceHandle,
      detail: ({ SourceHandle, PoolTag }) => ({ SourceHandle: hex(SourceHandle), PoolTag: tagName(PoolTag) }),
    },
    failures: [
      failsWith('resources', NDIS_STATUS_RESOURCES),
      failsWith('invalid-parameter', NDIS_STATUS_INVALID_PARAMETER),
      failsWith('failure', NDIS_STATUS_FAILURE),
    ],
    body(ndis, { SourceHandle, OidRequest, PoolTag, ClonedOidRequest }, { fn }) {
      if (!checkHandle(ndis, SourceHandle, fn, ['adapter'])) return NDIS_STATUS_INVALID_PARAMETER;
      const { pool, memory } = ndis.kernel;
      const clone = pool.allocate({
        size: NDIS_OID_REQUEST.size,
        what: `cloned NDIS_OID_REQUEST '${tagName(PoolTag)}'`,
        zero: true,
      });
      const size = Math.min(OidRequest.Header.Size, NDIS_OID_REQUEST.size);
      memory.write(clone, memory.read(OidRequest.address, size));
      ClonedOidRequest.set(clone);
      return NDIS_STATUS_SUCCESS;
    },
  }),
  NdisFreeCloneOidRequest: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndisfreecloneoidrequest',
    params: { SourceHandle: HANDLE, Request: POINTER },
    returns: 'void',
    irql: D,
    undoes: {
      types: ['clone-oid'],
      key: ({ Request }) => Request,
      match: ({ SourceHandle }) => ({ SourceHandle: hex(SourceHandle) }),
      stray: ({ kernel }: Ndis, { Request }) => kernel.pool.describe(Request),
      otherwise: () => undefined,
    },
    body({ kernel }, { Request }) {
      kernel.pool.free(Request);
      return undefined;
    },
  }),
};
