/**
 * OID requests from NDIS to the miniport: regular ones, one at a time as NDIS 6 serialises them; direct ones (6.1), which it does
 * not; synchronous ones (6.80), which may not pend. Pages: nc-ndis-miniport_oid_request, ndis-ndismoidrequestcomplete,
 * nc-ndis-miniport_direct_oid_request, ndis-ndismdirectoidrequestcomplete, synchronous-oid-request-interface-in-ndis-6-80.
 */
import { D, functionsOf, HANDLE, POINTER, ULONG } from '../kernel/record.ts';
import type { Coroutine } from '../kernel/scheduler.ts';
import { Hang } from '../kernel/stops.ts';
import type { Stack } from '../trace/events.ts';
import { type Address, DISPATCH_LEVEL, type Handle, hex, SECOND, type VirtualTime } from '../trace/units.ts';
import type { Adapter } from './adapter.ts';
import { MiniportDirectOidRequest, MiniportOidRequest, MiniportSynchronousOidRequest } from './callbacks.ts';
import { NDIS_OID_REQUEST } from './driver-structures.ts';
import type { Ndis } from './ndis.ts';
import { ObjectType } from './object-header.ts';
import { NDIS_STATUS_NOT_SUPPORTED, NDIS_STATUS_PENDING } from './status.ts';

/** NDIS_REQUEST_TYPE. */
export const RequestType = { QueryInformation: 0, SetInformation: 1, QueryStatistics: 2, Method: 12 } as const;

export interface OidRequest {
  readonly oid: number;
  readonly name: string;
  readonly type: keyof typeof RequestType;
  /** Bytes given to a set, or room for a query. */
  readonly buffer: Uint8Array | number;
}

export interface OidResult {
  readonly status: number;
  readonly data: Uint8Array;
}

/** How a request reaches the driver. Direct and synchronous ones come at DISPATCH_LEVEL, as they may. */
export type OidPath = keyof typeof paths;
const paths = {
  regular: { routine: MiniportOidRequest, handler: 'OidRequestHandler', completion: 'NdisMOidRequestComplete' },
  direct: {
    routine: MiniportDirectOidRequest,
    handler: 'DirectOidRequestHandler',
    completion: 'NdisMDirectOidRequestComplete',
  },
  synchronous: {
    routine: MiniportSynchronousOidRequest,
    handler: 'SynchronousOidRequestHandler',
    completion: 'return',
  },
} as const;

interface PendingOid {
  readonly adapter: Handle;
  readonly path: OidPath;
  readonly request: OidRequest;
  status: number | undefined;
  /** Where the completing call was made. */
  completedAt?: Stack;
}

/** Virtual time after which NDIS' own watchdog would have reported an OID (assumed; 0x7C/25 names no seconds). */
const WATCHDOG = 60 * SECOND;

export class Oids {
  private readonly pending = new Map<Address, PendingOid>();
  private readonly ndis: Ndis;

  constructor(ndis: Ndis) {
    this.ndis = ndis;
  }

  /** Sends one request and waits for its end. */
  *request(adapter: Adapter, request: OidRequest, path: OidPath = 'regular'): Coroutine<OidResult> {
    const { kernel } = this.ndis;
    const { handler, completion } = paths[path];
    const routine = adapter.routine(handler);
    if (routine === undefined) return { status: NDIS_STATUS_NOT_SUPPORTED, data: new Uint8Array(0) };
    adapter.move('OID request');
    const length = typeof request.buffer === 'number' ? request.buffer : request.buffer.length;
    const buffer = kernel.heap.allocate(Math.max(length, 1), `information buffer of ${request.name}`, { fill: 0 });
    if (typeof request.buffer !== 'number') kernel.memory.write(buffer, request.buffer);
    const address = kernel.heap.allocate(NDIS_OID_REQUEST.size, `NDIS_OID_REQUEST of ${request.name}`, { fill: 0 });
    const view = NDIS_OID_REQUEST.at(kernel.memory, address);
    NDIS_OID_REQUEST.write(kernel.memory, address, {
      Header: { Type: ObjectType.OID_REQUEST, Revision: 1, Size: NDIS_OID_REQUEST.offset('SwitchId') },
      RequestType: RequestType[request.type],
      Oid: request.oid,
      InformationBuffer: buffer,
      InformationBufferLength: length,
    });
    const pending: PendingOid = { adapter: adapter.handle, path, request, status: undefined };
    this.pending.set(address, pending);
    kernel.trace.emit({
      kind: 'fact',
      what: 'oid-request',
      detail: { request: hex(address), oid: request.name, adapter: adapter.handle },
    });
    const { scheduler } = kernel;
    const irql = scheduler.irql;
    if (path !== 'regular') scheduler.setIrql(DISPATCH_LEVEL);
    const returned = yield* kernel.invoker.invoke(
      paths[path].routine,
      routine,
      { MiniportAdapterContext: adapter.context, OidRequest: address },
      adapter.handle,
    );
    if (path !== 'regular') scheduler.setIrql(irql);
    // A synchronous request is over when its routine returns: PENDING is its status then, and none of those allowed.
    if (returned !== NDIS_STATUS_PENDING || path === 'synchronous') {
      const { completedAt } = pending;
      if (completedAt !== undefined) this.notPending(address, path, completedAt, { returned: hex(returned) });
      pending.status = returned;
    }
    const ended = yield {
      kind: 'wait',
      what: `${completion} of ${request.name}`,
      ready: () => pending.status !== undefined,
      follows: 'system',
      deadline: (kernel.clock.now + WATCHDOG) as VirtualTime,
    };
    if (ended === 'timeout') {
      const detail = { request: hex(address), oid: request.name, seconds: WATCHDOG / SECOND };
      kernel.trace.emit({ kind: 'fact', what: 'oid-never-completed', detail });
      throw new Hang(`the driver never completes ${request.name}`);
    }
    this.pending.delete(address);
    const done = Math.min(view.BytesDone, length);
    kernel.trace.emit({
      kind: 'fact',
      what: 'oid-result',
      detail: {
        request: hex(address),
        oid: request.name,
        status: pending.status as number,
        bytes: view.BytesDone,
        room: length,
        set: request.type === 'SetInformation',
      },
    });
    const data = kernel.memory.read(buffer, done);
    kernel.heap.free(address);
    kernel.heap.free(buffer);
    return { status: pending.status as number, data };
  }

  /** The driver completes a request; what is not pending is a fact for the rules. */
  complete(adapter: Handle, address: Address, status: number, path: OidPath = 'regular'): void {
    const pending = this.pending.get(address);
    if (pending?.path !== path || pending.status !== undefined || pending.adapter !== adapter) {
      this.notPending(address, path, this.ndis.kernel.stack());
      return;
    }
    pending.status = status;
    pending.completedAt = this.ndis.kernel.stack();
  }

  /** @param more `returned`: the final status that the routine gave as well, though it had completed the request */
  private notPending(address: Address, path: OidPath, stack: Stack, more: { readonly returned?: string } = {}): void {
    const detail = { request: hex(address), fn: paths[path].completion, ...more };
    this.ndis.kernel.trace.emit({ kind: 'fact', what: 'oid-not-pending', detail, stack });
  }

  get outstanding(): number {
    return this.pending.size;
  }
}

const f = functionsOf<Ndis>();

const completing = (page: string, path: OidPath) =>
  f({
    module: 'NDIS.SYS',
    page,
    params: { MiniportAdapterHandle: HANDLE, OidRequest: POINTER, Status: ULONG },
    returns: 'void',
    irql: D,
    body(ndis, { MiniportAdapterHandle, OidRequest, Status }) {
      ndis.oids.complete(MiniportAdapterHandle, OidRequest, Status, path);
      return undefined;
    },
  });

export const oidFunctions = {
  NdisMOidRequestComplete: completing('ndis-ndismoidrequestcomplete', 'regular'),
  NdisMDirectOidRequestComplete: completing('ndis-ndismdirectoidrequestcomplete', 'direct'),
};
