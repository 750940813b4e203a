/**
 * Why a file is refused. One class, one sentence, one code: the sentence is written for the user and reads well behind the
 * file's name (`mydriver.sys: this is a 32-bit (x86) image; haltex runs x64 drivers only.`), the code is for programs.
 */

export type ImageErrorCode =
  /** Not a Windows executable at all. */
  | 'not-pe'
  /** The file ends before something its headers promise. */
  | 'truncated'
  /** PE32: a 32-bit image. */
  | 'not-64-bit'
  /** An image for another processor; the message names it. */
  | 'wrong-machine'
  /** A program, a DLL, a boot application: anything the kernel would not load as a driver. */
  | 'not-a-driver'
  /** A .NET assembly. */
  | 'managed'
  /** Larger than any driver haltex accepts, or a table with more entries than that. */
  | 'too-large'
  | 'bad-header'
  | 'bad-section'
  | 'bad-import'
  | 'bad-export'
  | 'bad-relocation'
  | 'bad-load-config'
  | 'bad-debug'
  | 'bad-unwind'
  | 'bad-resource'
  | 'bad-signature';

/** Thrown by everything in this folder, and nothing else is, whatever the bytes are. */
export class ImageError extends Error {
  readonly code: ImageErrorCode;

  constructor(code: ImageErrorCode, message: string) {
    super(message);
    this.name = 'ImageError';
    this.code = code;
  }
}

/** `0x1A2B`: how RVAs and file offsets are printed in messages. */
export function rvaText(value: number): string {
  return `0x${value.toString(16).toUpperCase()}`;
}
