/**
 * C structures in guest memory, declared once by field, laid out by the x64 Windows ABI (natural alignment, no packing).
 * A `Struct` gives typed views on memory (`NET_BUFFER.at(memory, address).DataLength`), sizes and offsets, and writes plain
 * objects. Every access through a view is a checked access: touching a freed block faults like guest code would.
 */
import { type Address, at } from '../trace/units.ts';
import type { GuestMemory } from '../x64/memory.ts';

/** One C type: how big it is and how it is read and written. `T` is what reading gives; `I` what writing takes. */
export interface CType<T, I = T> {
  readonly size: number;
  readonly align: number;
  /** The value at that address, checked like an access of the driver. */
  read(memory: GuestMemory, address: Address): T;
  /** Writes the value there, checked likewise. */
  write(memory: GuestMemory, address: Address, value: I): void;
}

const scalar = <T>(size: number, read: CType<T>['read'], write: CType<T>['write']): CType<T> => ({
  size,
  align: size,
  read,
  write,
});

/** An unsigned byte. */
export const u8 = scalar<number>(
  1,
  (m, a) => m.readU8(a),
  (m, a, v) => m.writeU8(a, v),
);
/** An unsigned 16-bit number, little-endian. */
export const u16 = scalar<number>(
  2,
  (m, a) => m.readU16(a),
  (m, a, v) => m.writeU16(a, v),
);
/** An unsigned 32-bit number: ULONG. */
export const u32 = scalar<number>(
  4,
  (m, a) => m.readU32(a),
  (m, a, v) => m.writeU32(a, v),
);
/** A signed 32-bit number: LONG, NTSTATUS. */
export const i32 = scalar<number>(
  4,
  (m, a) => m.readU32(a) | 0,
  (m, a, v) => m.writeU32(a, v),
);
/** An unsigned 64-bit number, as a bigint. */
export const u64 = scalar<bigint>(
  8,
  (m, a) => m.readU64(a),
  (m, a, v) => m.writeU64(a, v),
);
/** BOOLEAN: one byte, any non-zero value is TRUE. */
export const bool8 = scalar<boolean>(
  1,
  (m, a) => m.readU8(a) !== 0,
  (m, a, v) => m.writeU8(a, v ? 1 : 0),
);
/** A pointer or handle; also physical addresses and lengths held in 64 bits that fit a JavaScript number. */
export const pointer = scalar<Address>(
  8,
  (m, a) => m.readPointer(a),
  (m, a, v) => m.writePointer(a, v),
);

/** A pointer to code. In a TypeScript miniport's literals a function may stand here (see native.ts). */
// biome-ignore lint/suspicious/noExplicitAny: a routine's own record types its arguments; here it is only a place in a structure
export type Routine = (args: any) => Generator<any, unknown, any> | unknown;
/** A pointer to a routine; a generator function of yours may be given, and gets an address. */
export const code: CType<Address, Address | Routine> = pointer as CType<Address, Address | Routine>;

/** So many of one type in a row. */
export function array<T, I>(type: CType<T, I>, count: number): CType<T[], readonly I[]> {
  return {
    size: type.size * count,
    align: type.align,
    read: (m, a) => Array.from({ length: count }, (_, i) => type.read(m, at(a, i * type.size))),
    write: (m, a, values) =>
      values.forEach((value, i) => {
        type.write(m, at(a, i * type.size), value);
      }),
  };
}

/** Raw bytes: MAC addresses, reserved areas. */
export function bytes(count: number, align = 1): CType<Uint8Array> {
  return { size: count, align, read: (m, a) => m.read(a, count), write: (m, a, v) => m.write(a, v.subarray(0, count)) };
}

// biome-ignore lint/suspicious/noExplicitAny: field maps are heterogeneous by nature
/** Fields of a structure in the order of its declaration in C. */
export type Fields = Readonly<Record<string, CType<any, any>>>;
/** A structure at an address: its fields read and write guest memory. */
export type View<F extends Fields> = { [K in keyof F]: F[K] extends CType<infer T, infer _I> ? T : never } & {
  readonly address: Address;
};
/** Values for some of the fields; the others are zero. */
export type Init<F extends Fields> = { [K in keyof F]?: F[K] extends CType<infer _T, infer I> ? I : never };

export interface Struct<F extends Fields = Fields> extends CType<View<F>, Init<F>> {
  readonly name: string;
  readonly fields: F;
  /** Bytes through the last field, without tail padding: what many NDIS headers give as their Size. */
  readonly end: number;
  /** Bytes from the start of the structure to the field. */
  offset(field: keyof F & string): number;
  /** The structure that lies at that address. */
  at(memory: GuestMemory, address: Address): View<F>;
}

function build<F extends Fields>(name: string, fields: F, overlay: boolean): Struct<F> {
  const offsets = new Map<string, number>();
  let end = 0;
  let align = 1;
  for (const [field, type] of Object.entries(fields)) {
    const start = overlay ? 0 : Math.ceil(end / type.align) * type.align;
    offsets.set(field, start);
    end = Math.max(end, start + type.size);
    align = Math.max(align, type.align);
  }
  const size = Math.ceil(end / align) * align;

  class Overlay {
    readonly address: Address;
    readonly memory: GuestMemory;
    constructor(memory: GuestMemory, address: Address) {
      this.memory = memory;
      this.address = address;
    }
  }
  for (const [field, type] of Object.entries(fields)) {
    const offset = offsets.get(field) as number;
    Object.defineProperty(Overlay.prototype, field, {
      enumerable: true,
      get(this: Overlay) {
        return type.read(this.memory, at(this.address, offset));
      },
      set(this: Overlay, value: unknown) {
        type.write(this.memory, at(this.address, offset), value);
      },
    });
  }
  const view = (memory: GuestMemory, address: Address) => new Overlay(memory, address) as unknown as View<F>;
  return {
    name,
    fields,
    end,
    size,
    align,
    offset: (field) => offsets.get(field) as number,
    at: view,
    read: view,
    write(memory, address, values) {
      for (const [field, value] of Object.entries(values)) {
        if (value === undefined || field === 'address') continue;
        const type = fields[field];
        if (type === undefined) throw new TypeError(`${name} has no field ${field}`);
        type.write(memory, at(address, offsets.get(field) as number), value);
      }
    },
  };
}

/** A C struct: fields in declaration order. */
export function struct<F extends Fields>(name: string, fields: F): Struct<F> {
  return build(name, fields, false);
}

/** A C union: all fields at offset 0. */
export function union<F extends Fields>(name: string, fields: F): Struct<F> {
  return build(name, fields, true);
}
