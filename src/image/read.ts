/**
 * The door of this folder: a file's bytes in, an `Image` out, or an `ImageError` that says in one sentence why not.
 * What the loader itself depends on (headers, sections, imports, relocations, load configuration) must be sound. What merely
 * informs (exports, debug data, resources, signature, unwind data) may be damaged: that becomes a note, not a refusal.
 * Source: Microsoft, "PE Format", https://learn.microsoft.com/windows/win32/debug/pe-format
 */
import { readDebug } from './debug.ts';
import { ImageError } from './errors.ts';
import { readExports } from './exports.ts';
import { type Accept, type Headers, readHeaders } from './headers.ts';
import { type Authenticode, type DataDirectory, Directory, FileFlag, type Image, type TlsDirectory } from './image.ts';
import { readDelayImports, readImports } from './imports.ts';
import { Layout, type Span } from './layout.ts';
import { readLoadConfig } from './load-config.ts';
import { readRelocations } from './relocations.ts';
import { readResources } from './resources.ts';
import { readFunctions, readUnwindInfo } from './unwind-info.ts';
import { UnwindPlaces } from './unwind-places.ts';

export interface ReadOptions {
  /** `driver` (the default) refuses what the kernel would not load as a driver; `any` takes every x64 image. */
  readonly accept?: Accept;
}

/** Reads a driver image. Throws `ImageError` and nothing else. The bytes are kept, not copied: do not change them after. */
export function readImage(bytes: Uint8Array, options: ReadOptions = {}): Image {
  const accept = options.accept ?? 'driver';
  const headers = readHeaders(bytes, accept);
  const layout = new Layout(bytes, spansOf(headers));
  const notes: string[] = [];
  /** For parts that only inform: a refusal becomes a note. */
  const lenient = <Value>(read: () => Value, otherwise: Value): Value => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof ImageError)) throw error;
      notes.push(error.message);
      return otherwise;
    }
  };
  const directory = (index: number): DataDirectory => headers.directories[index]!;

  const imports = readImports(layout, directory(Directory.IMPORT));
  if (accept === 'driver' && imports.some((dll) => dll.name.toLowerCase() === 'ntdll.dll')) {
    throw new ImageError('not-a-driver', 'this is a native user-mode program (it imports ntdll.dll), not a driver.');
  }
  const stripped = (headers.characteristics & FileFlag.RELOCS_STRIPPED) !== 0;
  const { functions, ignored } = lenient(
    () => readFunctions(layout, directory(Directory.EXCEPTION), headers.sizeOfImage),
    { functions: [], ignored: 0 },
  );
  if (ignored === 1) notes.push('the exception table has an entry that describes no code; it is ignored.');
  if (ignored > 1) notes.push(`the exception table has ${ignored} entries that describe no code; they are ignored.`);

  const image: Image = {
    ...headers,
    layout,
    imports,
    exports: lenient(() => readExports(layout, directory(Directory.EXPORT)), undefined),
    relocations: readRelocations(layout, directory(Directory.BASE_RELOCATION), stripped, headers.sizeOfImage),
    loadConfig: readLoadConfig(layout, directory(Directory.LOAD_CONFIG), headers.imageBase),
    debug: lenient(() => readDebug(layout, directory(Directory.DEBUG)), { codeView: undefined, reproducible: false }),
    functions,
    unwindPlaces: new UnwindPlaces(),
    resources: lenient(() => readResources(layout, directory(Directory.RESOURCE)), []),
    tls: lenient(() => readTls(layout, directory(Directory.TLS)), undefined),
    delayImports: lenient(() => readDelayImports(layout, directory(Directory.DELAY_IMPORT)), []),
    authenticode: lenient(() => findAuthenticode(bytes, directory(Directory.CERTIFICATE)), undefined),
    notes,
  };
  addNotes(image, notes);
  return image;
}

function spansOf(headers: Headers): Span[] {
  const spans: Span[] = [{ rva: 0, size: headers.sizeOfHeaders, fileOffset: 0, fileSize: headers.sizeOfHeaders }];
  for (const section of headers.sections) {
    const { rva, mappedSize, fileOffset, fileSize } = section;
    if (mappedSize > 0) spans.push({ rva, size: mappedSize, fileOffset, fileSize });
  }
  return spans;
}

/** Kernel-mode code has no thread-local storage: Windows ignores the directory of a driver. */
function readTls(layout: Layout, { rva, size }: DataDirectory): TlsDirectory | undefined {
  if (rva === 0 || size === 0) return undefined;
  const reader = layout.reader('bad-header', 'the thread-local storage directory');
  return { callbacks: reader.u64(rva + 24) !== 0n };
}

function findAuthenticode(file: Uint8Array, { rva: fileOffset, size }: DataDirectory): Authenticode | undefined {
  if (fileOffset === 0 || size === 0) return undefined;
  if (fileOffset + size > file.length || size < 8) {
    throw new ImageError('bad-signature', 'the Authenticode signature lies outside the file.');
  }
  return { fileOffset, size };
}

function addNotes(image: Image, notes: string[]): void {
  if (image.tls) notes.push('the image has thread-local storage, which kernel mode ignores.');
  if (image.delayImports.length > 0) {
    notes.push(`the image delay-loads ${image.delayImports.join(', ')}, which haltex does not model.`);
  }
  if (image.directories[Directory.BOUND_IMPORT]!.rva !== 0) {
    notes.push('the image has bound imports; they are resolved by name all the same.');
  }
  let damaged = 0;
  let first = '';
  for (const entry of image.functions) {
    try {
      // An odd RVA is an indirection, looked at when it is needed.
      if ((entry.unwindInfo & 1) === 0) readUnwindInfo(image, entry);
    } catch (error) {
      if (!(error instanceof ImageError)) throw error;
      if (damaged++ === 0) first = error.message;
    }
  }
  if (damaged > 0) notes.push(damaged === 1 ? first : `${damaged} functions have damaged unwind data; first: ${first}`);
}
