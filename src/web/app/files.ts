/** Files from a drop or a file chooser, folders opened. */
import type { GivenFile } from './messages.ts';

/** What can mean something to a check; a folder of a driver has much else. */
const WANTED = /\.(sys|pdb|inf|c|cc|cpp|cxx|h|hh|hpp|hxx|inl|inc|asm|[cm]?[jt]s)$/i;
const MOST_FILES = 2000;
/** Drivers and their debug information are smaller. */
const MOST_BYTES = 512 * 1024 * 1024;

export async function chosenFiles(files: Iterable<File>): Promise<GivenFile[]> {
  return Promise.all([...files].map((file) => given(file.webkitRelativePath || file.name, file)));
}

/** Must be called while the drop is being handled: its items are gone afterwards. */
export async function droppedFiles({ items, files }: DataTransfer): Promise<GivenFile[]> {
  const entries = [...items].flatMap((item) => (item.kind === 'file' ? (item.webkitGetAsEntry() ?? []) : []));
  if (entries.length === 0) return chosenFiles(files);
  const found: { path: string; file: File }[] = [];
  for (const entry of entries) await walk(entry, '', found);
  return Promise.all(found.map(({ path, file }) => given(path, file)));
}

async function walk(entry: FileSystemEntry, folder: string, found: { path: string; file: File }[]): Promise<void> {
  const path = `${folder}${entry.name}`;
  if (entry.isFile) {
    // Alone it is what the user means, whatever its name.
    if (folder !== '' && !WANTED.test(entry.name)) return;
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    if (found.length < MOST_FILES) found.push({ path, file });
    return;
  }
  if (entry.name === 'node_modules' || entry.name.startsWith('.')) return;
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  // A reader gives some at a time, and nothing at the end.
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return;
    for (const one of some) await walk(one, `${path}/`, found);
  }
}

async function given(path: string, file: File): Promise<GivenFile> {
  if (file.size > MOST_BYTES)
    throw new Error(`${path}: it is larger than any driver or PDB that haltex reads in a browser.`);
  return { path, bytes: new Uint8Array(await file.arrayBuffer()) };
}

const DRIVER = /\.(sys|[cm]?[jt]s)$/i;

/** Whether there may be a driver among the files; what has none waits for one. */
export const mayHoldDriver = (files: readonly GivenFile[]): boolean =>
  files.some(({ path }) => DRIVER.test(path) || !WANTED.test(path));
