/**
 * Initialize: one step after the other. A step that fails has undone what it did itself; the steps before it are undone here,
 * in reverse, by the functions that halt uses (rules init-fail-leaks-*, init-fail-then-halt: NDIS does not call halt for us).
 */
import {
  type Address,
  CmResourceTypeMemory,
  CmResourceTypePort,
  type Coroutine,
  descriptorsOf,
  type Handle,
  NDIS_ERROR_CODE_RESOURCE_CONFLICT,
  NDIS_STATUS_FAILURE,
  NDIS_STATUS_NOT_ACCEPTED,
  NDIS_STATUS_RESOURCES,
  NDIS_STATUS_SUCCESS,
} from 'haltex';
import type { Adapter, Nic } from './adapter.ts';

const REGISTERS_LENGTH = 0x1000;
const PORTS_COUNT = 32;

export interface Step {
  acquire(nic: Nic, adapter: Adapter): Coroutine<number>;
  /** What has to be done when a later step fails. */
  release?(nic: Nic, adapter: Adapter): Coroutine<void>;
}

/** The registers and the ports; the interrupt is NDIS' business. */
const resources = (list: Address): Step => ({
  *acquire({ wdk }, adapter) {
    for (const { Type, u } of descriptorsOf(wdk.memory, list)) {
      if (Type === CmResourceTypeMemory && u.Memory.Length >= REGISTERS_LENGTH) {
        adapter.RegistersAddress = u.Memory.Start;
        adapter.RegistersLength = REGISTERS_LENGTH;
      } else if (Type === CmResourceTypePort && u.Port.Length >= PORTS_COUNT) {
        adapter.PortsAddress = u.Port.Start;
        adapter.PortsLength = PORTS_COUNT;
      }
    }
    if (adapter.RegistersLength !== 0 && adapter.PortsLength !== 0) return NDIS_STATUS_SUCCESS;
    yield* wdk.NdisWriteErrorLogEntry({
      NdisAdapterHandle: adapter.AdapterHandle,
      ErrorCode: NDIS_ERROR_CODE_RESOURCE_CONFLICT,
      NumberOfErrorValues: 0,
      ErrorValues: [],
    });
    return NDIS_STATUS_RESOURCES;
  },
});

const generalAttributes: Step = {
  *acquire(nic, adapter) {
    yield* nic.parts.link.update(nic, adapter);
    adapter.ReportedUp = adapter.LinkUp;
    return yield* nic.parts.attributes.general(nic, adapter);
  },
};

/** Nothing here can fail. */
const start: Step = {
  *acquire(nic, adapter) {
    yield* nic.parts.hardware.program(nic, adapter);
    yield* nic.parts.workItems.start(nic, adapter);
    yield* nic.parts.timers.start(nic, adapter);
    yield* nic.parts.interrupts.enable(nic, adapter);
    return NDIS_STATUS_SUCCESS;
  },
};

/** Rule init-returns-undocumented-status: initialize may return four values only. */
const documented = (status: number) =>
  status === NDIS_STATUS_NOT_ACCEPTED || status === NDIS_STATUS_RESOURCES ? status : NDIS_STATUS_FAILURE;

export const initialize = {
  /** In the order the contract wants: attributes, memory, hardware, DMA, shared memory, the interrupt late. */
  steps(nic: Nic, allocatedResources: Address): readonly Step[] {
    const { parts } = nic;
    return [
      { acquire: parts.attributes.registration },
      resources(allocatedResources),
      parts.configuration,
      parts.memory,
      parts.pools,
      parts.timers,
      parts.workItems,
      parts.ioPorts,
      parts.ioSpace,
      parts.hardware,
      generalAttributes,
      parts.dma,
      parts.sharedMemory,
      parts.receiveBuffers,
      parts.asyncMemory,
      parts.interrupts,
      parts.ports,
      start,
    ];
  },

  /** Undoes what was done, the last first. */
  *unwind(nic: Nic, adapter: Adapter, done: readonly Step[]): Coroutine<void> {
    for (const step of done.toReversed()) yield* step.release?.(nic, adapter) ?? [];
    yield* nic.parts.memory.freeAdapter(nic, adapter);
  },

  /** PASSIVE_LEVEL. */
  *run(nic: Nic, adapterHandle: Handle, allocatedResources: Address): Coroutine<number> {
    const adapter = yield* nic.parts.memory.allocateAdapter(nic, adapterHandle);
    if (adapter === undefined) return NDIS_STATUS_RESOURCES;
    const done: Step[] = [];
    for (const step of nic.parts.initialize.steps(nic, allocatedResources)) {
      const status = yield* step.acquire(nic, adapter);
      if (status !== NDIS_STATUS_SUCCESS) {
        yield* nic.parts.initialize.unwind(nic, adapter, done);
        return documented(status);
      }
      done.push(step);
    }
    return NDIS_STATUS_SUCCESS;
  },
};
