/**
 * A kernel function raises an exception in its caller, as ExRaiseStatus does: guest code may handle it with __except, a
 * TypeScript miniport with catch. Unhandled, Windows would stop with KMODE_EXCEPTION_NOT_HANDLED.
 */
import { type Address, hex } from '../trace/units.ts';
import type { ExceptionData } from './exception-structures.ts';

export class RaisedStatus extends Error {
  /** The NTSTATUS a handler sees as the exception's code. */
  readonly status: number;
  constructor(status: number, text: string) {
    super(`${text} raises ${hex(status)}`);
    this.status = status;
  }
}

/** RtlRaiseException: the driver made the EXCEPTION_RECORD itself. */
export class RaisedRecord extends RaisedStatus {
  readonly record: Address;
  readonly data: ExceptionData;
  constructor(record: Address, data: ExceptionData) {
    super(data.code, 'RtlRaiseException');
    this.record = record;
    this.data = data;
  }
}
