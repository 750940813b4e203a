/**
 * Functions of NDIS.SYS that are a kernel function under another name: today's headers make most of them macros, so only
 * drivers built with older kits import them.
 */
import type { Kernel } from '../kernel/kernel.ts';
import type { Args, Failure, FunctionRecord, Params, ReturnKind, Returns, Undoes } from '../kernel/record.ts';
import type { Ndis } from './ndis.ts';

/** The kernel's record as a function of NDIS, with NDIS' page and its own inventory where that differs. */
export function fromKernel<P extends Params, K extends ReturnKind>(
  record: FunctionRecord<Kernel, P, K>,
  page: string,
  differs: Pick<FunctionRecord<Ndis, P, K>, 'acquires' | 'undoes'> = {},
): FunctionRecord<Ndis, P, K> {
  const { undoes, failures, body, ...rest } = record;
  return {
    ...rest,
    ...(undoes === undefined ? {} : { undoes: undoesFor(undoes) }),
    ...(failures === undefined ? {} : { failures: failures.map(failureFor) }),
    ...differs,
    module: 'NDIS.SYS',
    page,
    body: (ndis, args, site) => body(ndis.kernel, args, site),
  };
}

function undoesFor<P extends Params, K extends ReturnKind>(
  undoes: Undoes<Args<P>, Returns[K], Kernel>,
): Undoes<Args<P>, Returns[K], Ndis> {
  const { stray, ...rest } = undoes;
  return stray === undefined ? rest : { ...rest, stray: (ndis, args) => stray(ndis.kernel, args) };
}

function failureFor<P extends Params, K extends ReturnKind>(
  failure: Failure<Args<P>, Returns[K], Kernel>,
): Failure<Args<P>, Returns[K], Ndis> {
  const { when, ...rest } = failure;
  return when === undefined ? rest : { ...rest, when: (args, ndis) => when(args, ndis.kernel) };
}
