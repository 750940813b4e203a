/**
 * Locking pageable sections of the driver's image into memory, and making the whole of it pageable. What is locked may be touched
 * at any IRQL. Data is refused at the access, like any pageable memory; code is looked at where it is entered and where calls
 * return into it, and runs on: no page is ever really out.
 * Pages: wdm-mmlockpagabledatasection, ntddk-mmlockpagablesectionbyhandle, wdm-mmunlockpagableimagesection, wdm-mmpageentiredriver.
 */
import type { Section } from '../image/image.ts';
import { findFunction } from '../image/unwind-info.ts';
import { type Address, at, DISPATCH_LEVEL, hex, NULL } from '../trace/units.ts';
import { Shadow } from '../x64/memory.ts';
import type { Kernel } from './kernel.ts';
import type { Module } from './modules.ts';
import { A, functionsOf, POINTER } from './record.ts';
import { Unsupported } from './stops.ts';

interface Locked {
  readonly module: Module;
  readonly section: Section;
  readonly handle: Address;
  count: number;
}

export class PageableSections {
  private readonly kernel: Kernel;
  private readonly locked: Locked[] = [];
  /** Made pageable as a whole by MmPageEntireDriver. */
  private readonly entire = new Set<Module>();
  /** Functions in pageable code that were told of. */
  private readonly told = new Set<string>();

  constructor(kernel: Kernel) {
    this.kernel = kernel;
  }

  /** Locks the section around an address once more; its handle. */
  lock(address: Address, fn: string): Address {
    const module = this.kernel.modules.at(address);
    const rva = address - (module?.base ?? 0);
    const section = module?.image.sections.find((each) => rva >= each.rva && rva < each.rva + each.mappedSize);
    if (module === undefined || section === undefined) {
      throw new Unsupported(fn, `locking ${hex(address)}, which is in no driver image`, this.kernel.stack());
    }
    const known = this.locked.find((each) => each.module === module && each.section === section);
    const entry = known ?? { module, section, count: 0, handle: this.kernel.heap.allocate(16, 'section handle') };
    if (known === undefined) this.locked.push(entry);
    return this.again(entry);
  }

  lockAgain(handle: Address, fn: string): void {
    this.again(this.named(handle, fn));
  }

  unlock(handle: Address, fn: string): void {
    const entry = this.named(handle, fn);
    entry.count--;
    if (entry.count === 0) this.mark(entry.module, entry.section, true);
  }

  /**
   * The driver goes on at this address. Where that is pageable code and the IRQL is too high for a page fault, it is a fact, once
   * for each function of the driver.
   * @param how how it came there: `entered` as a routine, or back from a call of `fn`
   */
  runs(address: Address, how: { readonly entered: string } | { readonly fn: string }): void {
    const { scheduler, modules, trace } = this.kernel;
    if (scheduler.irql < DISPATCH_LEVEL) return;
    const module = modules.at(address);
    if (module === undefined) return;
    const rva = address - module.base;
    const section = module.image.sections.find((each) => rva >= each.rva && rva < each.rva + each.mappedSize);
    if (section === undefined || !this.isPageable(module, section)) return;
    const place = `${module.name}+${findFunction(module.image, rva - ('fn' in how ? 1 : 0))?.begin ?? rva}`;
    if (this.told.has(place)) return;
    this.told.add(place);
    const detail = { section: section.name, address: hex(address), ...how };
    const stack = this.kernel.stack();
    trace.emit({
      kind: 'fact',
      what: 'pageable-code-runs',
      detail,
      stack: stack.length > 0 ? stack : [modules.frame(address)],
    });
  }

  private isPageable(module: Module, section: Section): boolean {
    if (!section.executable || section.discardable) return false;
    if (!section.pageable && !this.entire.has(module)) return false;
    return !this.locked.some((each) => each.module === module && each.section === section && each.count > 0);
  }

  /** Every section may be paged out, or only those the image says. */
  pageAll(module: Module, all: boolean): void {
    if (all) this.entire.add(module);
    else this.entire.delete(module);
    for (const section of module.image.sections) {
      const held = this.locked.some((each) => each.section === section && each.count > 0);
      if (!held && !section.discardable) this.mark(module, section, all || section.pageable);
    }
  }

  private again(entry: Locked): Address {
    if (entry.count++ === 0) this.mark(entry.module, entry.section, false);
    return entry.handle;
  }

  private named(handle: Address, fn: string): Locked {
    const entry = this.locked.find((each) => each.handle === handle);
    if (entry !== undefined && (entry.count > 0 || fn !== 'MmUnlockPagableImageSection')) return entry;
    throw new Unsupported(fn, `a section handle ${hex(handle)} that is not locked`, this.kernel.stack());
  }

  private mark(module: Module, section: Section, pageable: boolean): void {
    if (section.executable || section.mappedSize === 0) return;
    const shadow = section.writable
      ? pageable
        ? Shadow.Pageable
        : Shadow.ReadWrite
      : pageable
        ? Shadow.PageableReadOnly
        : Shadow.ReadOnly;
    this.kernel.memory.setShadow(at(module.base, section.rva), section.mappedSize, shadow);
  }
}

const f = functionsOf<Kernel>();
const common = { module: 'ntoskrnl.exe', irql: A } as const;

const locking = (page: string) =>
  f({
    ...common,
    page,
    params: { AddressWithinSection: POINTER },
    returns: 'pointer',
    body: ({ pageableSections }, { AddressWithinSection }, { fn }) => pageableSections.lock(AddressWithinSection, fn),
  });
const paging = (page: string, all: boolean) =>
  f({
    ...common,
    page,
    params: { AddressWithinSection: POINTER },
    returns: 'pointer',
    body({ modules, pageableSections }, { AddressWithinSection }) {
      const module = modules.at(AddressWithinSection);
      if (module === undefined) return NULL;
      pageableSections.pageAll(module, all);
      return module.base;
    },
  });

export const pageableSectionFunctions = {
  MmLockPagableDataSection: locking('wdm-mmlockpagabledatasection'),
  MmLockPagableCodeSection: locking('wdm-mmlockpagablecodesection'),
  MmLockPagableSectionByHandle: f({
    ...common,
    page: 'ntddk-mmlockpagablesectionbyhandle',
    params: { ImageSectionHandle: POINTER },
    returns: 'void',
    body({ pageableSections }, { ImageSectionHandle }, { fn }) {
      pageableSections.lockAgain(ImageSectionHandle, fn);
      return undefined;
    },
  }),
  MmUnlockPagableImageSection: f({
    ...common,
    page: 'wdm-mmunlockpagableimagesection',
    params: { ImageSectionHandle: POINTER },
    returns: 'void',
    body({ pageableSections }, { ImageSectionHandle }, { fn }) {
      pageableSections.unlock(ImageSectionHandle, fn);
      return undefined;
    },
  }),
  MmPageEntireDriver: paging('wdm-mmpageentiredriver', true),
  MmResetDriverPaging: paging('wdm-mmresetdriverpaging', false),
};
