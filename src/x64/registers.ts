/** The guest's registers as views of the engine's page: what translated code loads and flushes is what TypeScript sees. */
import { type Address, fromBits } from '../trace/units.ts';
import type { Registers } from './cpu.ts';
import { FlagKind, materialise, packedState, stateCode } from './flags.ts';
import { Layout, Rflags } from './layout.ts';

export class PageRegisters implements Registers {
  readonly gpr: BigUint64Array;
  readonly xmm: BigUint64Array;
  private readonly view: DataView;

  constructor(buffer: ArrayBuffer, page: number) {
    this.gpr = new BigUint64Array(buffer, page + Layout.gpr, 16);
    this.xmm = new BigUint64Array(buffer, page + Layout.xmm, 32);
    this.view = new DataView(buffer, page);
    this.mxcsr = 0x1f80;
    this.rflags = Rflags.IF;
  }

  get rip(): Address {
    return this.address(Layout.rip);
  }
  set rip(value: Address) {
    this.setAddress(Layout.rip, value);
  }

  get gsBase(): Address {
    return this.address(Layout.gsBase);
  }
  set gsBase(value: Address) {
    this.setAddress(Layout.gsBase, value);
  }

  get mxcsr(): number {
    return this.view.getUint32(Layout.mxcsr, true);
  }
  set mxcsr(value: number) {
    this.view.setUint32(Layout.mxcsr, value, true);
  }

  get rflags(): number {
    return this.arithmeticFlags() | this.view.getInt32(Layout.systemFlags, true) | Rflags.fixed;
  }
  set rflags(value: number) {
    this.view.setInt32(Layout.systemFlags, value & (Rflags.IF | Rflags.DF), true);
    this.view.setBigUint64(Layout.flagX, BigInt(value & Rflags.arithmetic), true);
    this.view.setInt32(Layout.flagKind, stateCode(packedState), true);
  }

  /** Computes the stored lazy flags and stores them packed. */
  packFlags(): void {
    this.view.setBigUint64(Layout.flagX, BigInt(this.arithmeticFlags()), true);
    this.view.setInt32(Layout.flagKind, stateCode(packedState), true);
  }

  private arithmeticFlags(): number {
    const { view } = this;
    const code = view.getInt32(Layout.flagKind, true);
    const x = view.getBigUint64(Layout.flagX, true);
    if (code >> 4 === FlagKind.packed) return Number(x) & Rflags.arithmetic;
    return materialise(code, x, view.getBigUint64(Layout.flagY, true), view.getBigUint64(Layout.flagZ, true));
  }

  private address(at: number): Address {
    const high = this.view.getInt32(at + 4, true);
    const value = high * 0x1_0000_0000 + this.view.getUint32(at, true);
    return Number.isSafeInteger(value) ? (value as Address) : fromBits(this.view.getBigUint64(at, true));
  }
  private setAddress(at: number, value: Address): void {
    const high = Math.floor(value / 0x1_0000_0000);
    this.view.setInt32(at, value - high * 0x1_0000_0000, true);
    this.view.setInt32(at + 4, high, true);
  }
}
