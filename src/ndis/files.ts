/**
 * Files a miniport reads while it initializes (firmware). Which there are is the machine's configuration; none by default.
 * Pages: ndis-ndisopenfile, ndis-ndismapfile, ndis-ndisunmapfile, ndis-ndisclosefile.
 */
import { pointer, u32 } from '../kernel/layout.ts';
import { D, failsOut, functionsOf, HANDLE, IN, OUT, P, SIZE_T } from '../kernel/record.ts';
import { UNICODE_STRING, unicodeText } from '../kernel/strings.ts';
import { type Address, type Handle, hex, NULL } from '../trace/units.ts';
import { emitFact } from './facts.ts';
import type { Ndis } from './ndis.ts';
import {
  NDIS_STATUS_ALREADY_MAPPED,
  NDIS_STATUS_ERROR_READING_FILE,
  NDIS_STATUS_FAILURE,
  NDIS_STATUS_FILE_NOT_FOUND,
  NDIS_STATUS_RESOURCES,
  NDIS_STATUS_SUCCESS,
} from './status.ts';

interface OpenFile {
  readonly name: string;
  readonly data: Uint8Array;
  /** Where it is mapped, or NULL. */
  mapped: Address;
}

export class Files {
  /** Contents by lower-case name, as the driver names them: in the system's drivers directory. */
  readonly available = new Map<string, Uint8Array>();
  private readonly ndis: Ndis;
  private readonly opened = new Map<Handle, OpenFile>();

  constructor(ndis: Ndis) {
    this.ndis = ndis;
  }

  open(name: string): { handle: Handle; length: number } | undefined {
    const data = this.available.get(name.toLowerCase());
    if (data === undefined) return undefined;
    const handle = this.ndis.newHandle(`NDIS file '${name}'`);
    this.opened.set(handle, { name, data, mapped: NULL });
    return { handle, length: data.length };
  }

  named(handle: Handle, fn: string): OpenFile | undefined {
    const file = this.opened.get(handle);
    if (file === undefined) {
      emitFact(this.ndis.kernel, 'file-not-open', { fn, file: hex(handle) });
      this.ndis.kernel.memory.readU8(handle);
    }
    return file;
  }

  map(file: OpenFile): Address {
    const { kernel } = this.ndis;
    file.mapped = kernel.heap.allocate(file.data.length, `mapping of '${file.name}'`, { stack: kernel.stack() });
    kernel.memory.write(file.mapped, file.data);
    return file.mapped;
  }

  unmap(file: OpenFile): void {
    if (file.mapped !== NULL) this.ndis.kernel.heap.free(file.mapped, this.ndis.kernel.stack());
    file.mapped = NULL;
  }

  close(handle: Handle): void {
    const file = this.opened.get(handle);
    if (file !== undefined) this.unmap(file);
    this.opened.delete(handle);
    this.ndis.kernel.heap.free(handle, this.ndis.kernel.stack());
  }
}

const f = functionsOf<Ndis>();

export const fileFunctions = {
  NdisOpenFile: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndisopenfile',
    params: {
      Status: OUT(u32),
      FileHandle: OUT(pointer),
      FileLength: OUT(u32),
      FileName: IN(UNICODE_STRING),
      HighestAcceptableAddress: SIZE_T,
    },
    returns: 'void',
    irql: P,
    acquires: {
      type: 'file',
      key: ({ FileHandle }) => FileHandle.get(),
      when: ({ Status }) => Status.get() === NDIS_STATUS_SUCCESS,
    },
    failures: [
      failsOut('file-not-found', 'Status', NDIS_STATUS_FILE_NOT_FOUND),
      failsOut('resources', 'Status', NDIS_STATUS_RESOURCES),
      failsOut('error-reading-file', 'Status', NDIS_STATUS_ERROR_READING_FILE),
    ],
    body(ndis, { Status, FileHandle, FileLength, FileName }) {
      const file = ndis.files.open(unicodeText(ndis.kernel.memory, FileName));
      Status.set(file === undefined ? NDIS_STATUS_FILE_NOT_FOUND : NDIS_STATUS_SUCCESS);
      if (file !== undefined) {
        FileHandle.set(file.handle);
        FileLength.set(file.length);
      }
      return undefined;
    },
  }),
  NdisMapFile: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndismapfile',
    params: { Status: OUT(u32), MappedBuffer: OUT(pointer), FileHandle: HANDLE },
    returns: 'void',
    irql: D,
    failures: [
      {
        id: 'already-mapped',
        fail({ Status, MappedBuffer }) {
          Status.set(NDIS_STATUS_ALREADY_MAPPED);
          MappedBuffer.set(NULL);
          return undefined;
        },
      },
    ],
    body(ndis, { Status, MappedBuffer, FileHandle }, { fn }) {
      const file = ndis.files.named(FileHandle, fn);
      const free = file !== undefined && file.mapped === NULL;
      MappedBuffer.set(free ? ndis.files.map(file) : NULL);
      Status.set(free ? NDIS_STATUS_SUCCESS : file === undefined ? NDIS_STATUS_FAILURE : NDIS_STATUS_ALREADY_MAPPED);
      return undefined;
    },
  }),
  NdisUnmapFile: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndisunmapfile',
    params: { FileHandle: HANDLE },
    returns: 'void',
    irql: P,
    body(ndis, { FileHandle }, { fn }) {
      const file = ndis.files.named(FileHandle, fn);
      if (file !== undefined) ndis.files.unmap(file);
      return undefined;
    },
  }),
  NdisCloseFile: f({
    module: 'NDIS.SYS',
    page: 'ndis-ndisclosefile',
    params: { FileHandle: HANDLE },
    returns: 'void',
    irql: P,
    undoes: { types: ['file'], key: ({ FileHandle }) => FileHandle, otherwise: () => undefined },
    body(ndis, { FileHandle }) {
      ndis.files.close(FileHandle);
      return undefined;
    },
  }),
};
