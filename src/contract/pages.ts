/** Where Microsoft's pages stand. contract.md cites them shortly (`I:miniport_halt`); this is the one place that knows the addresses. */

const LEARN = 'https://learn.microsoft.com/windows-hardware/drivers';
/** The compiler's pages (`C:`): calling conventions. */
const COMPILER = 'https://learn.microsoft.com/cpp/build';

/** Prefixes of design pages: a folder of the documentation each. */
const folders: Readonly<Record<string, string>> = { N: 'network', D: 'devtest', G: 'debugger', K: 'kernel' };
/** Prefixes of reference pages: a header each. */
const headers: Readonly<Record<string, string>> = { I: 'ndis', B: 'nblapi', M: 'mdlapi', W: 'wdm' };

/** A bug check's page carries its name behind its number, which citations leave out. */
const bugChecks: Readonly<Record<string, string>> = {
  'bug-check-0x139': 'bug-check-0x139--kernel-security-check-failure',
  'bug-check-0x15e': 'bug-check-0x15e-bugcode-ndis-driver-live-dump',
  'bug-check-0x1e': 'bug-check-0x1e--kmode-exception-not-handled',
  'bug-check-0x44': 'bug-check-0x44--multiple-irp-complete-requests',
  'bug-check-0x50': 'bug-check-0x50--page-fault-in-nonpaged-area',
  'bug-check-0x7c': 'bug-check-0x7c--bugcode-ndis-driver',
  'bug-check-0x7f': 'bug-check-0x7f--unexpected-kernel-mode-trap',
  'bug-check-0xbe': 'bug-check-0xbe--attempted-write-to-readonly-memory',
  'bug-check-0xc2': 'bug-check-0xc2--bad-pool-caller',
  'bug-check-0xc4': 'bug-check-0xc4--driver-verifier-detected-violation',
  'bug-check-0xc7': 'bug-check-0xc7--timer-or-dpc-invalid',
  'bug-check-0xcc': 'bug-check-0xcc--page-fault-in-freed-special-pool',
  'bug-check-0xce': 'bug-check-0xce--driver-unloaded-without-cancelling-pending-operations',
  'bug-check-0xd1': 'bug-check-0xd1--driver-irql-not-less-or-equal',
  'bug-check-0xe6': 'bug-check-0xe6--driver-verifier-dma-violation',
};

/** Routines a driver supplies and structures have pages of their own kinds (`nc`, `ns`); everything else is a function (`nf`). */
function kindOf(name: string): 'nc' | 'ns' | 'nf' {
  // Microsoft filed this one among the functions.
  if (name === 'miniport_synchronous_oid_request') return 'nf';
  if (/^(miniport|protocol|filter|ndis_timer|ndis_io_workitem|kstart|pput|pfree|pget|pallocate)_/.test(name))
    return 'nc';
  if (/^set_options$|^(driver|io|k)_\w+$/.test(name)) return 'nc';
  return name.includes('_') ? 'ns' : 'nf';
}

/**
 * The address of a page cited as in contract.md: `I:miniport_halt`, `N:halt-handler`, `G:bug-check-0x7c`. Undefined for what
 * is not Microsoft's documentation (`H:`, a header).
 */
export function pageUrl(source: string): string | undefined {
  const [, prefix = '', name = ''] = /^(\w):(\S+)/.exec(source) ?? [];
  const header = headers[prefix];
  if (header !== undefined) return `${LEARN}/ddi/${header}/${kindOf(name)}-${header}-${name}`;
  if (prefix === 'C') return `${COMPILER}/${name}`;
  const folder = folders[prefix];
  if (folder === undefined) return undefined;
  return `${LEARN}/${folder}/${bugChecks[name] ?? name}`;
}
