/**
 * Generic objects: NDIS handles for components that have none. Pages: ndis-ndisallocategenericobject, ndis-ndisfreegenericobject,
 * _ndis_generic_object.
 */
import { pointer, struct } from '../kernel/layout.ts';
import { tagName } from '../kernel/pool.ts';
import { D, failsNull, functionsOf, POINTER, ULONG, USHORT } from '../kernel/record.ts';
import { type Address, type Handle, NULL } from '../trace/units.ts';
import type { Ndis } from './ndis.ts';
import { NDIS_OBJECT_HEADER, ObjectType } from './object-header.ts';

export const NDIS_GENERIC_OBJECT = struct('NDIS_GENERIC_OBJECT', {
  Header: NDIS_OBJECT_HEADER,
  Caller: pointer,
  CallersCaller: pointer,
  DriverObject: pointer,
});

export class GenericObjects {
  private readonly ndis: Ndis;
  private readonly objects = new Set<Address>();

  constructor(ndis: Ndis) {
    this.ndis = ndis;
  }

  isObject(handle: Handle): boolean {
    return this.objects.has(handle);
  }

  /** `size` bytes of the caller's follow the object. */
  allocate(driverObject: Address, tag: number, size: number, caller: Address): Address {
    const { pool, memory } = this.ndis.kernel;
    const what = `NDIS_GENERIC_OBJECT '${tagName(tag)}'`;
    const object = pool.allocate({ size: NDIS_GENERIC_OBJECT.size + size, what });
    NDIS_GENERIC_OBJECT.write(memory, object, {
      Header: { Type: ObjectType.DEFAULT, Revision: 1, Size: NDIS_GENERIC_OBJECT.size },
      Caller: caller,
      CallersCaller: NULL,
      DriverObject: driverObject,
    });
    this.objects.add(object);
    return object;
  }

  free(object: Address): void {
    this.objects.delete(object);
    this.ndis.kernel.pool.free(object);
  }
}

const f = functionsOf<Ndis>();

export const genericObjectFunctions = {
  NdisAllocateGenericObject: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndisallocategenericobject',
    params: { DriverObject: POINTER, Tag: ULONG, Size: USHORT },
    returns: 'pointer',
    irql: D,
    acquires: { type: 'generic-object', key: (_, result) => result, detail: ({ Tag }) => ({ Tag: tagName(Tag) }) },
    failures: [failsNull],
    body: (ndis, { DriverObject, Tag, Size }, { caller }) =>
      ndis.genericObjects.allocate(DriverObject, Tag, Size, caller),
  }),
  NdisFreeGenericObject: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndisfreegenericobject',
    params: { NdisObject: POINTER },
    returns: 'void',
    irql: D,
    undoes: { types: ['generic-object'], key: ({ NdisObject }) => NdisObject, otherwise: () => undefined },
    body(ndis, { NdisObject }) {
      ndis.genericObjects.free(NdisObject);
      return undefined;
    },
  }),
};
