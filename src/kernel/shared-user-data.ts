/**
 * KUSER_SHARED_DATA: the page at 0xFFFFF78000000000 that drivers read times and the version of Windows from, without a call.
 * Layout: ntddk.h. The page is made anew at every access, so its times are always those of virtual time; a driver that reads
 * it in a loop sees time pass as its instructions do.
 */
import type { Address } from '../trace/units.ts';
import type { Clock } from './clock.ts';

export const SHARED_USER_DATA = -0x880_0000_0000 as Address;

/** The Windows the machine is: Windows 10 22H2, workstation. */
export const WINDOWS = { major: 10, minor: 0, build: 19045 } as const;

/** 100 ns between two ticks of the system clock (KeQueryTimeIncrement's usual 15.625 ms). */
export const TICK = 156_250;

const SIZE = 0x1000;

export class SharedUserData {
  readonly start = SHARED_USER_DATA;
  readonly size = SIZE;
  private readonly clock: Clock;
  private made: DataView | undefined;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Made when it is first read: most drivers never do. */
  private get page(): DataView {
    this.made ??= this.constants();
    return this.made;
  }

  private constants(): DataView {
    const page = new DataView(new ArrayBuffer(SIZE));
    page.setUint32(0x004, 0x0fa0_0000, true); // TickCountMultiplier: 15.625 ms as a 8.24 fixed-point number
    page.setUint16(0x02c, 0x8664, true); // ImageNumberLow
    page.setUint16(0x02e, 0x8664, true);
    [...'C:\\Windows'].forEach((letter, i) => {
      page.setUint16(0x030 + 2 * i, letter.charCodeAt(0), true);
    });
    page.setUint32(0x260, WINDOWS.build, true);
    page.setUint32(0x264, 1, true); // NtProductWinNt
    page.setUint8(0x268, 1);
    page.setUint16(0x26a, 9, true); // PROCESSOR_ARCHITECTURE_AMD64
    page.setUint32(0x26c, WINDOWS.major, true);
    page.setUint32(0x270, WINDOWS.minor, true);
    for (const feature of [2, 3, 6, 8, 9, 10, 12, 14]) page.setUint8(0x274 + feature, 1);
    page.setBigUint64(0x300, 10_000_000n, true); // QpcFrequency
    return page;
  }

  read(address: Address, size: number): bigint {
    const time = Math.floor(this.clock.now);
    this.systemTime(0x008, BigInt(time));
    this.systemTime(0x014, this.clock.systemTime);
    this.systemTime(0x320, BigInt(Math.floor(time / TICK)));
    let value = 0n;
    for (let i = size - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.page.getUint8(address - this.start + i));
    return value;
  }

  /** KSYSTEM_TIME: low, high, and high again, so that a reader sees a change in between. */
  private systemTime(offset: number, value: bigint): void {
    this.page.setBigUint64(offset, value, true);
    this.page.setUint32(offset + 8, Number(value >> 32n), true);
  }
}
