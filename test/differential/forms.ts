/** The forms that can be tried on the host's CPU, looked up by iced's names. */
import * as iced from 'iced-x86';
import { type SupportedForm, supportedForms } from '../../src/x64/forms.ts';

/** They raise exceptions, which is an outcome like others here. */
const RAISING = /^(Int3|Ud2|Int_imm8)$/;

/** Where the makers of processors disagree. */
const VENDORS: Readonly<Record<string, string>> = {
  Movsxd_r16_rm16: 'from memory AMD reads four bytes, Intel two',
};

export interface Forms {
  /** Each of them is tried. */
  readonly all: readonly SupportedForm[];
  /** Why others are not, by name. */
  readonly skipped: ReadonlyMap<string, string>;
  named(code: string): SupportedForm;
}

export function forms(): Forms {
  const supported = supportedForms();
  const byName = new Map(supported.map((form) => [form.code, form]));
  const skips = (form: SupportedForm) =>
    RAISING.test(form.code) ? undefined : (form.record.test?.skip ?? VENDORS[form.code]);
  return {
    all: supported.filter((form) => !skips(form)),
    skipped: new Map(supported.flatMap((form) => (skips(form) ? [[form.code, skips(form)!]] : []))),
    named(code) {
      const form = byName.get(code);
      if (!form) throw new Error(`no form ${code}`);
      return form;
    },
  };
}

export interface Prefixes {
  readonly lock: boolean;
  readonly rep: boolean;
  readonly repne: boolean;
}

const prefixes = new Map<number, Prefixes>();

export function prefixesOf(form: SupportedForm): Prefixes {
  const known = prefixes.get(form.number);
  if (known) return known;
  const info = iced.CodeExt.opCode(form.number);
  const string = form.operands.some((kind) => kind === 'es_rDI' || kind === 'seg_rSI');
  const result = {
    lock: info.canUseLockPrefix,
    rep: string && info.canUseRepPrefix,
    repne: string && info.canUseRepnePrefix,
  };
  info.free();
  prefixes.set(form.number, result);
  return result;
}
