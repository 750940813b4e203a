/** Registering a miniport driver with NDIS. Pages: ndis-ndismregisterminiportdriver, _ndis_miniport_driver_characteristics. */

import type { View } from '../kernel/layout.ts';
import { pointer } from '../kernel/layout.ts';
import { failsWith, functionsOf, HANDLE, IN, OUT, P, POINTER } from '../kernel/record.ts';
import type { Coroutine } from '../kernel/scheduler.ts';
import { UNICODE_STRING, unicodeText } from '../kernel/strings.ts';
import { type Address, type Handle, NULL } from '../trace/units.ts';
import { MiniportSetOptions } from './callbacks.ts';
import { leastCharacteristicsSize, NDIS_MINIPORT_DRIVER_CHARACTERISTICS } from './driver-structures.ts';
import type { Ndis } from './ndis.ts';
import { headerFault, NDIS_OBJECT_HEADER, ObjectType } from './object-header.ts';
import {
  NDIS_STATUS_BAD_CHARACTERISTICS,
  NDIS_STATUS_BAD_VERSION,
  NDIS_STATUS_FAILURE,
  NDIS_STATUS_NOT_SUPPORTED,
  NDIS_STATUS_RESOURCES,
  NDIS_STATUS_SUCCESS,
} from './status.ts';

type Characteristics = View<typeof NDIS_MINIPORT_DRIVER_CHARACTERISTICS.fields>;

/** Entries a connectionless miniport must supply (contract.md C2). */
export const requiredHandlers = [
  'InitializeHandlerEx',
  'HaltHandlerEx',
  'UnloadHandler',
  'PauseHandler',
  'RestartHandler',
  'OidRequestHandler',
  'SendNetBufferListsHandler',
  'ReturnNetBufferListsHandler',
  'CancelSendHandler',
  'DevicePnPEventNotifyHandler',
  'ShutdownHandlerEx',
  'CancelOidRequestHandler',
] as const;

const optionalHandlers = [
  'SetOptionsHandler',
  'CheckForHangHandlerEx',
  'ResetHandlerEx',
  'DirectOidRequestHandler',
  'CancelDirectOidRequestHandler',
  'SynchronousOidRequestHandler',
] as const;

export type HandlerName = (typeof requiredHandlers)[number] | (typeof optionalHandlers)[number];

/** Minor versions of NDIS 6 that NDIS of Windows 10 1709 accepts: 6.0, 6.1, 6.20 … 6.80 (contract.md C2). */
const MINOR_VERSIONS = [0, 1, 20, 30, 40, 50, 51, 60, 70, 80, 81, 82, 83, 84, 85, 86];

export class MiniportDriver {
  /** NdisMiniportDriverHandle. */
  readonly handle: Handle;
  readonly driverObject: Address;
  /** The service's key, as DriverEntry was given it. */
  readonly registryPath: string;
  /** MiniportDriverContext. */
  readonly context: Handle;
  readonly minorVersion: number;
  readonly handlers: Partial<Record<HandlerName, Address>>;
  /** Further handlers given to NdisSetOptionalHandlers, by member name. */
  readonly optional: Record<string, Address> = {};

  constructor(parts: Omit<MiniportDriver, 'optional'>) {
    this.handle = parts.handle;
    this.driverObject = parts.driverObject;
    this.registryPath = parts.registryPath;
    this.context = parts.context;
    this.minorVersion = parts.minorVersion;
    this.handlers = parts.handlers;
  }
}

/** The handlers by name: NDIS copies the structure, up to the size its revision has. */
function copyHandlers(characteristics: Characteristics): Partial<Record<HandlerName, Address>> {
  const size = Math.min(characteristics.Header.Size, NDIS_MINIPORT_DRIVER_CHARACTERISTICS.size);
  const handlers: Partial<Record<HandlerName, Address>> = {};
  for (const name of [...requiredHandlers, ...optionalHandlers]) {
    if (NDIS_MINIPORT_DRIVER_CHARACTERISTICS.offset(name) + 8 <= size) handlers[name] = characteristics[name];
  }
  return handlers;
}

/** The status NDIS refuses the characteristics with, or success. Which one a NULL handler gives is a gap: contract.md C3. */
function judge(characteristics: Characteristics): number {
  const { Header, MinorNdisVersion } = characteristics;
  const least = leastCharacteristicsSize(Header.Revision, MinorNdisVersion);
  if (headerFault(Header, ObjectType.MINIPORT_DRIVER_CHARACTERISTICS, [least]) !== undefined) {
    return NDIS_STATUS_BAD_CHARACTERISTICS;
  }
  if (characteristics.MajorNdisVersion !== 6 || !MINOR_VERSIONS.includes(characteristics.MinorNdisVersion)) {
    return NDIS_STATUS_BAD_VERSION;
  }
  const handlers = copyHandlers(characteristics);
  if (requiredHandlers.some((name) => (handlers[name] ?? NULL) === NULL)) return NDIS_STATUS_BAD_CHARACTERISTICS;
  const given = (name: HandlerName) => (handlers[name] ?? NULL) !== NULL;
  if (given('CheckForHangHandlerEx') && !given('ResetHandlerEx')) return NDIS_STATUS_BAD_CHARACTERISTICS;
  if (given('DirectOidRequestHandler') !== given('CancelDirectOidRequestHandler'))
    return NDIS_STATUS_BAD_CHARACTERISTICS;
  return NDIS_STATUS_SUCCESS;
}

const f = functionsOf<Ndis>();

export const driverFunctions = {
  NdisMRegisterMiniportDriver: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndismregisterminiportdriver',
    params: {
      DriverObject: POINTER,
      RegistryPath: POINTER,
      MiniportDriverContext: HANDLE,
      MiniportDriverCharacteristics: IN(NDIS_MINIPORT_DRIVER_CHARACTERISTICS),
      NdisMiniportDriverHandle: OUT(pointer),
    },
    returns: 'status',
    irql: P,
    acquires: {
      type: 'driver-registration',
      key: (args) => args.NdisMiniportDriverHandle.get(),
    },
    failures: [
      failsWith('resources', NDIS_STATUS_RESOURCES),
      failsWith('bad-version', NDIS_STATUS_BAD_VERSION),
      failsWith('bad-characteristics', NDIS_STATUS_BAD_CHARACTERISTICS),
      failsWith('failure', NDIS_STATUS_FAILURE),
    ],
    *body(ndis, args): Coroutine<number> {
      const characteristics = args.MiniportDriverCharacteristics;
      const status = judge(characteristics);
      if (status !== NDIS_STATUS_SUCCESS) return status;
      const { memory } = ndis.kernel;
      const driver = new MiniportDriver({
        handle: ndis.newHandle('NDIS miniport driver handle'),
        driverObject: args.DriverObject,
        registryPath:
          args.RegistryPath === NULL ? '' : unicodeText(memory, UNICODE_STRING.at(memory, args.RegistryPath)),
        context: args.MiniportDriverContext,
        minorVersion: characteristics.MinorNdisVersion,
        handlers: copyHandlers(characteristics),
      });
      ndis.drivers.push(driver);
      if (args.DriverObject !== NULL) ndis.devices.takeOver(args.DriverObject);
      // The handle is good inside MiniportSetOptions, which NDIS calls before the registration returns (page: set_options).
      args.NdisMiniportDriverHandle.set(driver.handle);
      const setOptions = driver.handlers.SetOptionsHandler ?? NULL;
      if (setOptions !== NULL) {
        const result = yield* ndis.kernel.invoker.invoke(MiniportSetOptions, setOptions, {
          NdisDriverHandle: driver.handle,
          DriverContext: driver.context,
        });
        if (result !== NDIS_STATUS_SUCCESS) {
          ndis.drivers.splice(ndis.drivers.indexOf(driver), 1);
          return result;
        }
      }
      return NDIS_STATUS_SUCCESS;
    },
  }),

  NdisMDeregisterMiniportDriver: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndismderegisterminiportdriver',
    params: { NdisMiniportDriverHandle: HANDLE },
    returns: 'void',
    irql: P,
    undoes: {
      types: ['driver-registration'],
      key: (args) => args.NdisMiniportDriverHandle,
      otherwise: () => undefined,
    },
    body(ndis, { NdisMiniportDriverHandle }) {
      const at = ndis.drivers.findIndex((driver) => driver.handle === NdisMiniportDriverHandle);
      ndis.drivers.splice(at, 1);
      return undefined;
    },
  }),

  NdisSetOptionalHandlers: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndissetoptionalhandlers',
    params: { NdisHandle: HANDLE, OptionalHandlers: IN(NDIS_OBJECT_HEADER) },
    returns: 'status',
    irql: P,
    failures: [
      failsWith('resources', NDIS_STATUS_RESOURCES),
      failsWith('not-supported', NDIS_STATUS_NOT_SUPPORTED),
      failsWith('failure', NDIS_STATUS_FAILURE),
    ],
    body(ndis, { NdisHandle, OptionalHandlers }) {
      const driver = ndis.drivers.find((candidate) => candidate.handle === NdisHandle);
      if (driver === undefined) return NDIS_STATUS_NOT_SUPPORTED;
      return ndis.setOptionalHandlers(driver, OptionalHandlers);
    },
  }),
};
