/**
 * Why a PDB is refused: one sentence that reads well behind the file's name (`nic.pdb: this is not a PDB.`), and a code for
 * programs. Thrown by everything in this folder, and nothing else is, whatever the bytes are.
 */
export type PdbErrorCode =
  /** Something else than a PDB, or one that ends before its first streams. */
  | 'not-pdb'
  /** A PDB of a kind that haltex does not read; the message names it. */
  | 'unsupported'
  /** A pointer or size in it cannot be true. */
  | 'damaged'
  /** A sound PDB, but not the driver's. */
  | 'mismatch';

/** The PDB is damaged, of an unknown form, or of another build; the message is one sentence. */
export class PdbError extends Error {
  readonly code: PdbErrorCode;

  constructor(code: PdbErrorCode, message: string) {
    super(message);
    this.name = 'PdbError';
    this.code = code;
  }
}
