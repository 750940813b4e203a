/**
 * The formatting of the kernel's printf family: C's directives with Microsoft's additions (%I64, %ws, %hs, %Z, %wZ). Arguments
 * are taken as the 8-byte slots of x64 Windows, from registers and stack or from a va_list; doubles come in the same slots.
 * Page: C runtime "Format specification syntax: printf and wprintf functions"; %Z and %wZ: debugger documentation of DbgPrint.
 */
import { type Address, fromBits, NULL } from '../trace/units.ts';
import type { GuestMemory } from '../x64/memory.ts';
import { ANSI_STRING, UNICODE_STRING } from './strings.ts';

/** Gives the next argument's 64 bits. */
export type NextArgument = () => bigint;

/** The arguments that stand behind the fixed ones of a call. */
export function fromCall(varargs: (index: number) => bigint): NextArgument {
  let index = 0;
  return () => varargs(index++);
}

/** The arguments a va_list points to: on x64 a pointer to 8-byte slots. */
export function fromList(memory: GuestMemory, list: Address): NextArgument {
  let slot = list as number;
  return () => {
    const bits = memory.readU64(slot as Address);
    slot += 8;
    return bits;
  };
}

const DIRECTIVE = /%([-+ #0]*)(\*|\d+)?(?:\.(\*|\d*))?(I64|I32|I|hh|h|ll|l|w|L|j|z|t)?([a-zA-Z%])/g;

interface Directive {
  readonly flags: string;
  readonly width: number;
  readonly precision: number | undefined;
  readonly size: string;
  readonly conversion: string;
}

/** Formats `template`; `wide` says which family is asked: it decides what %s and %c mean. */
export function format(memory: GuestMemory, template: string, next: NextArgument, wide: boolean): string {
  return template.replaceAll(DIRECTIVE, (_, flags: string, width, precision, size, conversion: string) => {
    if (conversion === '%') return '%';
    const asked = width === '*' ? Number(BigInt.asIntN(32, next())) : Number(width ?? 0);
    const exact = precision === '*' ? Number(BigInt.asIntN(32, next())) : precision;
    const directive: Directive = {
      flags: asked < 0 ? `${flags}-` : flags,
      width: Math.abs(asked),
      precision: exact === undefined || Number(exact) < 0 ? undefined : Number(exact),
      size: size ?? '',
      conversion,
    };
    return convert(memory, directive, next, wide);
  });
}

function convert(memory: GuestMemory, directive: Directive, next: NextArgument, wide: boolean): string {
  const { conversion, precision } = directive;
  switch (conversion) {
    case 'd':
    case 'i':
      return signed(directive, BigInt.asIntN(bitsOf(directive.size), next()));
    case 'u':
      return pad(directive, '', digits(directive, BigInt.asUintN(bitsOf(directive.size), next()), 10));
    case 'o':
      return radix(directive, next(), 8, '0');
    case 'x':
      return radix(directive, next(), 16, '0x');
    case 'X':
      return radix(directive, next(), 16, '0X');
    case 'p':
      return pad(directive, '', next().toString(16).toUpperCase().padStart(16, '0'));
    case 'c':
    case 'C':
      return pad(directive, '', character(next(), isWide(directive, wide)));
    case 's':
    case 'S':
      return text(directive, string(memory, fromBits(next()), isWide(directive, wide), precision));
    case 'Z':
      return text(directive, counted(memory, fromBits(next()), directive.size === 'w' || directive.size === 'l'));
    case 'e':
    case 'E':
    case 'f':
    case 'F':
    case 'g':
    case 'G':
      return real(directive, next());
    default:
      // Microsoft's runtime prints an unknown conversion's character and goes on (observed).
      return conversion;
  }
}

function bitsOf(size: string): number {
  switch (size) {
    case 'hh':
      return 8;
    case 'h':
      return 16;
    case 'I64':
    case 'll':
    case 'j':
    case 'I':
    case 'z':
    case 't':
      return 64;
    default:
      return 32;
  }
}

/** %s is of the function's own width, %S of the other; h and l or w decide whatever the function. */
function isWide({ size, conversion }: Directive, wide: boolean): boolean {
  if (size === 'h') return false;
  if (size === 'l' || size === 'w') return true;
  return (conversion === 's' || conversion === 'c') === wide;
}

function character(bits: bigint, wide: boolean): string {
  return String.fromCharCode(Number(bits & (wide ? 0xffffn : 0xffn)));
}

function string(memory: GuestMemory, address: Address, wide: boolean, limit: number | undefined): string {
  if (address === NULL) return '(null)';
  let value = '';
  for (let i = 0; limit === undefined || i < limit; i++) {
    const unit = wide ? memory.readU16((address + 2 * i) as Address) : memory.readU8((address + i) as Address);
    if (unit === 0) break;
    value += String.fromCharCode(unit);
  }
  return value;
}

function counted(memory: GuestMemory, address: Address, wide: boolean): string {
  if (address === NULL) return '(null)';
  const { Buffer, Length } = (wide ? UNICODE_STRING : ANSI_STRING).at(memory, address);
  if (Buffer === NULL) return '(null)';
  const data = memory.read(Buffer, Length);
  let value = '';
  for (let i = 0; i < Length; i += wide ? 2 : 1) {
    value += String.fromCharCode((data[i] as number) | (wide ? (data[i + 1] ?? 0) << 8 : 0));
  }
  return value;
}

function text(directive: Directive, value: string): string {
  return pad({ ...directive, flags: directive.flags.replace('0', '') }, '', value.slice(0, directive.precision));
}

function signed(directive: Directive, value: bigint): string {
  const sign = value < 0n ? '-' : directive.flags.includes('+') ? '+' : directive.flags.includes(' ') ? ' ' : '';
  return pad(directive, sign, digits(directive, value < 0n ? -value : value, 10));
}

function radix(directive: Directive, bits: bigint, base: 8 | 16, mark: string): string {
  const value = BigInt.asUintN(bitsOf(directive.size), bits);
  const shown = digits(directive, value, base);
  const prefix = directive.flags.includes('#') && value !== 0n ? mark : '';
  return pad(directive, prefix, directive.conversion === 'X' ? shown.toUpperCase() : shown);
}

function digits({ precision }: Directive, value: bigint, base: number): string {
  if (value === 0n && precision === 0) return '';
  return value.toString(base).padStart(precision ?? 1, '0');
}

function real(directive: Directive, bits: bigint): string {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, bits);
  const value = view.getFloat64(0);
  const precision = directive.precision ?? 6;
  const magnitude = Math.abs(value);
  const kind = directive.conversion.toLowerCase();
  const shown =
    kind === 'f'
      ? magnitude.toFixed(precision)
      : kind === 'e'
        ? exponent(magnitude.toExponential(precision))
        : exponent(String(Number(magnitude.toPrecision(precision || 1))));
  const sign = value < 0 ? '-' : directive.flags.includes('+') ? '+' : '';
  return pad({ ...directive, precision: undefined }, sign, directive.conversion === kind ? shown : shown.toUpperCase());
}

/** C writes at least two digits of exponent. */
function exponent(shown: string): string {
  return shown.replace(/e([+-])(\d)$/, 'e$10$2');
}

function pad({ flags, width, precision, conversion }: Directive, prefix: string, body: string): string {
  const missing = Math.max(0, width - prefix.length - body.length);
  if (flags.includes('-')) return prefix + body + ' '.repeat(missing);
  const integer = 'diuoxXp'.includes(conversion);
  if (flags.includes('0') && !(integer && precision !== undefined)) return prefix + '0'.repeat(missing) + body;
  return ' '.repeat(missing) + prefix + body;
}
