/**
 * The user's side of I/O: opens a device of the driver, sends it requests, closes it, as the I/O manager does for a program.
 * Scenarios use it; the driver sees what a program's CreateFile, DeviceIoControl and CloseHandle cause.
 * Pages: kernel/irp-mj-create, kernel/irp-mj-device-control, kernel/irp-mj-cleanup, kernel/irp-mj-close.
 */
import { type Address, NULL } from '../trace/units.ts';
import type { GuestMemory } from '../x64/memory.ts';
import type { Heap } from './heap.ts';
import type { Devices } from './io-devices.ts';
import { FILE_OBJECT, IO_STACK_LOCATION, IoType, Major } from './io-structures.ts';
import type { Irps } from './irps.ts';
import type { Mdls } from './mdl.ts';
import type { Coroutine } from './scheduler.ts';
import { Status } from './status.ts';
import { Unsupported } from './stops.ts';

const USER_MODE = 1;
/** The two low bits of a control code. */
const Method = { buffered: 0, inDirect: 1, outDirect: 2, neither: 3 } as const;

export interface Answer {
  readonly status: number;
  readonly information: number;
  readonly output: Uint8Array;
}

/** An open device. */
export interface OpenFile {
  readonly object: Address;
  readonly device: Address;
}

interface Buffers {
  readonly systemBuffer?: Address;
  readonly mdl?: Address;
}

export class Requests {
  private readonly memory: GuestMemory;
  private readonly heap: Heap;
  private readonly devices: Devices;
  private readonly irps: Irps;
  private readonly mdls: Mdls;

  constructor(parts: { memory: GuestMemory; heap: Heap; devices: Devices; irps: Irps; mdls: Mdls }) {
    this.memory = parts.memory;
    this.heap = parts.heap;
    this.devices = parts.devices;
    this.irps = parts.irps;
    this.mdls = parts.mdls;
  }

  /** Opens a device by name or address; the driver's create routine decides. */
  *open(target: string | Address): Coroutine<{ status: number; file?: OpenFile }> {
    const device = typeof target === 'string' ? this.devices.find(target) : target;
    if (device === undefined) return { status: Status.OBJECT_NAME_NOT_FOUND };
    const object = this.heap.allocate(FILE_OBJECT.size, 'FILE_OBJECT', { fill: 0 });
    FILE_OBJECT.write(this.memory, object, { Type: IoType.FILE, Size: FILE_OBJECT.size, DeviceObject: device });
    const file = { object, device };
    this.devices.reference(device);
    const { status } = yield* this.request(file, Major.CREATE, [0n, 0n, 0n, 0n]);
    if (status < 0x8000_0000) return { status, file };
    this.release(file);
    return { status };
  }

  /** DeviceIoControl. */
  *control(file: OpenFile, code: number, input: Uint8Array, outputSize: number): Coroutine<Answer> {
    const method = code & 3;
    if (method === Method.neither) {
      throw new Unsupported('METHOD_NEITHER', 'a device control whose buffers are user addresses');
    }
    const size = method === Method.buffered ? Math.max(input.length, outputSize) : input.length;
    const systemBuffer = size === 0 ? NULL : this.heap.allocate(size, 'buffer of a device control', { fill: 0 });
    if (input.length > 0) this.memory.write(systemBuffer, input);
    const direct =
      method === Method.buffered || outputSize === 0
        ? NULL
        : this.heap.allocate(outputSize, 'output of a device control', { fill: 0 });
    const mdl = direct === NULL ? NULL : this.lockedMdl(direct, outputSize);
    const parameters = [BigInt(outputSize), BigInt(input.length), BigInt(code), 0n];
    const { status, information } = yield* this.request(file, Major.DEVICE_CONTROL, parameters, { systemBuffer, mdl });
    const from = direct === NULL ? systemBuffer : direct;
    const length = Math.min(information, outputSize);
    const output = from === NULL || status >= 0xc000_0000 ? new Uint8Array(0) : this.memory.read(from, length);
    for (const block of [systemBuffer, direct, mdl]) if (block !== NULL) this.heap.free(block);
    return { status, information, output };
  }

  private lockedMdl(address: Address, size: number): Address {
    const mdl = this.mdls.allocate(address, size, 'MDL of a device control');
    this.mdls.lock(mdl, true);
    return mdl.address;
  }

  /** CloseHandle: cleanup, then close. */
  *close(file: OpenFile): Coroutine<void> {
    yield* this.request(file, Major.CLEANUP, [0n, 0n, 0n, 0n]);
    yield* this.request(file, Major.CLOSE, [0n, 0n, 0n, 0n]);
    this.release(file);
  }

  private release({ object, device }: OpenFile): void {
    this.heap.free(object);
    this.devices.dereference(device);
  }

  /** Sends one request to the top of the device's stack and waits for its end. */
  *request(
    file: { readonly object: Address; readonly device: Address },
    major: number,
    parameters: readonly bigint[],
    buffers: Buffers = {},
  ): Coroutine<{ status: number; information: number }> {
    const top = this.devices.top(file.device);
    const address = this.irps.allocate(this.devices.at(top).StackSize);
    const irp = this.irps.at(address);
    irp.RequestorMode = USER_MODE;
    irp.OriginalFileObject = file.object;
    irp.SystemBuffer = buffers.systemBuffer ?? NULL;
    irp.MdlAddress = buffers.mdl ?? NULL;
    const { address: location } = this.irps.next(irp);
    IO_STACK_LOCATION.write(this.memory, location, {
      MajorFunction: major,
      Parameters: parameters,
      FileObject: file.object,
    });
    let done = false;
    this.irps.whenDone(address, () => {
      done = true;
    });
    yield* this.irps.call(top, address);
    if (!done) yield { kind: 'wait', what: `the end of a request (major function ${major})`, ready: () => done };
    const { Status: status, Information } = irp.IoStatus;
    this.irps.free(address);
    return { status, information: Number(Information) };
  }
}
