/** What a leak of each kind of resource does, by the resource's type. */

interface Kind {
  readonly why: string;
  readonly allowed?: string;
}

/** What the contract's pages leave open: contract.md X6. */
const KEPT =
  'Memory that is kept for the life of the driver and freed in MiniportDriverUnload is a note only; the pages are silent about it.';

export const kinds: Readonly<Record<string, Kind>> = {
  'driver-registration': {
    why: 'NDIS keeps the addresses of the driver’s routines while the image leaves memory. The next call into one of them is a bug check 0x50 or 0xCE.',
  },
  'device-object': {
    why: 'An application can still open the control device and send it requests; its dispatch routines lie in an image that is gone, which is bug check 0xCE.',
  },
  memory: {
    why: 'Nonpaged memory is lost until the next restart; on a machine that sleeps or redocks often it runs out. Driver Verifier’s pool tracking stops with 0xC4/62 at unload.',
    allowed: KEPT,
  },
  'adapter-instance-name': {
    why: 'NdisMQueryAdapterInstanceName allocates the name’s buffer for the caller; it is nonpaged memory that is lost.',
  },
  port: {
    why: 'The port’s number and NDIS’ state for it stay behind with an adapter that is gone. Which of that NDIS clears up by itself, no page says.',
    allowed: 'The default port, number 0, is NDIS’ own and is freed by NDIS.',
  },
  'default-port-active': {
    why: 'A driver that controls its default port and leaves it active tells the protocols above that there is still something to send to.',
    allowed: 'A driver that did not ask to control the default port neither activates nor deactivates it.',
  },
  interrupt: {
    why: 'The interrupt service routine stays connected: the next interrupt, the neighbour’s on a shared line included, calls it with a context that is freed and code that may be unloaded. NDIS stops with 0x7C/08 after a halt, with 0x7C/0B after a failed initialize.',
  },
  'timer-set': {
    why: 'The timer fires after the adapter’s memory is freed and the image may be gone: a callback in freed memory, bug check 0xD1, or 0xCE after the unload. NDIS lists 0x7C/09 (halt) and 0x7C/0C (initialize) for timers that were not cancelled.',
    allowed: 'A one-shot timer whose callback has already returned owes no cancel.',
  },
  'timer-object': {
    why: 'NDIS’ timer object, which is nonpaged memory, is lost. It still points to the driver’s callback.',
  },
  'sg-dma': {
    why: 'The DMA adapter with its map registers stays allocated; map registers are few, and a device that cannot get any does not start again.',
  },
  'shared-memory': {
    why: 'Physically contiguous memory, which gets scarcer the longer a machine runs, is lost. A later initialize of the same device may fail because of it.',
  },
  'shared-memory-async': {
    why: 'Contiguous memory is lost, and easily, because it arrives in MiniportSharedMemoryAllocateComplete long after the routine that asked for it.',
  },
  'provider-shared-memory': {
    why: 'Shared memory that NdisAllocateSharedMemory gave, for queues of a virtual switch for instance, is lost together with the pages the NIC was allowed to use.',
  },
  'sg-list': {
    why: 'Its map registers and the system’s list stay in use, and deregistering the DMA handle with one left is 0xE6/0A under Driver Verifier.',
  },
  'dma-channel': {
    why: 'The system’s DMA channel stays taken, and the device cannot register it when it starts again.',
  },
  'io-port-range': {
    why: 'NDIS and the system still count the ports as this adapter’s. The next start of the device may be refused with NDIS_STATUS_RESOURCE_CONFLICT.',
  },
  'io-space': {
    why: 'System page table entries stay used up, and a mapping of device memory stays behind through which a stale pointer still reaches the hardware.',
  },
  'nbl-pool': {
    why: 'A pool holds the memory of all its NET_BUFFER_LISTs; all of it is lost at once.',
  },
  'nb-pool': { why: 'A pool holds the memory of all its NET_BUFFERs; all of it is lost at once.' },
  nbl: {
    why: 'The list is lost, and its pool cannot be freed in order while a member of it is out.',
    allowed: 'Lists that NDIS has are not the driver’s to free; it waits for MiniportReturnNetBufferLists first.',
  },
  nb: {
    why: 'The buffer is lost, and its pool cannot be freed in order while a member of it is out.',
    allowed: 'A NET_BUFFER that was allocated together with its list goes with the list.',
  },
  'nbl-context': {
    why: 'Context space that was added to a list has to be taken off before the list is freed or given on; otherwise NDIS frees or uses a list whose context data it did not put there.',
    allowed: 'Context space that was reserved when the list was allocated needs no call.',
  },
  'clone-nbl': {
    why: 'A clone, fragment or reassembled list refers to the buffers of its parent. Left over, it leaks its own structures and keeps pointers into buffers that go back to their owner.',
  },
  'data-start': {
    why: 'Retreating may have allocated an MDL for the new header; without the advance it is lost, and the frame’s owner gets the buffer back with another start than it gave.',
  },
  mdl: {
    why: 'The MDL is lost, and it describes memory that is freed next, so a later use of it maps someone else’s pages.',
  },
  'config-handle': {
    why: 'The registry key stays open, with the memory of every value that was read through the handle; a key that is open cannot be deleted when the device is uninstalled.',
  },
  'config-subkey': {
    why: 'A subkey is closed separately from its parent; left open, it keeps the registry key and memory.',
  },
  'work-item': {
    why: 'The work item is lost, and one that is still queued runs the driver’s routine after the adapter is gone.',
  },
  'generic-object': { why: 'The object is lost together with everything that NDIS hangs on it as a handle.' },
  'rw-lock': { why: 'NDIS allocates a slot for each processor; all of it is lost.' },
  'spin-lock': {
    why: 'NdisFreeSpinLock does little today, and nothing breaks without it. It tells readers and tools that the lock’s life is over.',
    allowed: 'Always, in effect: this is a note.',
  },
  'lookaside-list': {
    why: 'The system keeps every lookaside list on a list of its own. One that lies in freed memory corrupts that list: Driver Verifier stops with 0xC4/CC when its memory is freed, and without it the system crashes later and elsewhere.',
  },
  'lookaside-entry': { why: 'An entry that is out when its list is deleted is memory that is lost.' },
  log: { why: 'The log’s memory, which an application may still read from, stays allocated.' },
  virtualization: {
    why: 'The device keeps SR-IOV enabled and its virtual functions on the bus though no driver stands behind them.',
    allowed: 'A driver with dynamic switches has disabled it when the last switch was deleted.',
  },
  'if-provider': {
    why: 'NDIS keeps calling the provider’s query and set routines in an image that is gone.',
  },
  'if-interface': {
    why: 'The interface stays in the system’s list without anything behind it; deregistering its provider before it is 0x7C/17.',
    allowed: 'The interface’s NET_LUID index is persistent and is not freed.',
  },
  'clone-oid': { why: 'The clone is lost, and whoever waits for the request that was cloned may wait for ever.' },
  pool: {
    why: 'Pool memory is lost until the next restart. Driver Verifier’s pool tracking stops with 0xC4/62 at unload.',
    allowed: KEPT,
  },
  ktimer: {
    why: 'The kernel’s timer queue keeps a pointer to a KTIMER in the driver’s memory. When that is freed, the queue is corrupt: bug check 0xC7, or a callback in unloaded code, 0xCE.',
  },
  'ex-timer': {
    why: 'The timer object is lost, and while it is set its callback runs in memory and code that are gone.',
  },
  dpc: {
    why: 'The processor’s queue keeps a pointer to a KDPC in the driver’s memory. It runs when MiniportHaltEx has freed what it needs: bug check 0xC7 or 0xD1.',
  },
  'io-work-item': {
    why: 'The work item is lost, and it keeps a reference to the device object that holds up its removal.',
  },
  'system-thread': {
    why: 'The thread goes on running the driver’s code after its memory is freed and the image is unloaded: bug check 0xCE. Closing its handle does not end a thread; it ends itself, and the driver waits for it.',
  },
  handle: {
    why: 'The object behind the handle stays open in the system process until the next restart: a file cannot be deleted, a registry key cannot be unloaded.',
  },
  'object-reference': {
    why: 'An object with a reference too many is never destroyed, and a device object among them never goes away, so the device’s removal does not finish.',
  },
  'io-mapping': {
    why: 'System page table entries stay used up, and a mapping of device memory stays behind through which a stale pointer still reaches the hardware.',
  },
  'contiguous-memory': {
    why: 'Physically contiguous memory, which gets scarcer the longer a machine runs, is lost; a later initialize may fail because of it.',
  },
  'mdl-pages': {
    why: 'Whole physical pages are lost to the system. The MDL that describes them is a second thing to free, with ExFreePool.',
  },
  mapping: {
    why: 'System address space stays in use for pages that are unlocked or freed next; the stale mapping then shows memory of someone else.',
    allowed: 'MmUnlockPages and IoFreeMdl take the mapping off with them.',
  },
  'locked-pages': {
    why: 'The pages cannot be paged out or given back. When the process that owns them ends, the system stops with 0xCB, or 0x76.',
  },
  'io-mdl': { why: 'The MDL is lost, and a chain of MDLs loses each of them.' },
  irp: {
    why: 'The IRP is lost; when it is still with another driver, its completion routine runs in code that may be gone.',
  },
  'dma-adapter': {
    why: 'The DMA adapter with its map registers stays allocated.',
  },
  'common-buffer': {
    why: 'Contiguous memory that the device may use is lost; releasing the DMA adapter before it is 0xE6/07 under Driver Verifier.',
  },
  'hal-sg-list': {
    why: 'Its map registers stay in use, and releasing the DMA adapter with one left is 0xE6/0A under Driver Verifier.',
  },
  'wdm-interrupt': {
    why: 'The interrupt service routine stays connected: the next interrupt calls it with a context that is freed and code that may be unloaded.',
  },
  'wdm-device': {
    why: 'An application can still open the device, and its dispatch routines lie in an image that is gone; a symbolic link left behind makes the next load fail with a name collision.',
  },
  'device-interface': {
    why: 'Applications that look for the interface still find it and fail when they open it.',
    allowed: 'The registration itself is meant to persist; only the enabled state is owed.',
  },
  notification: {
    why: 'The PnP manager calls the driver’s callback after the image is gone.',
  },
  wmi: { why: 'WMI sends its queries to a device object that is gone. Driver Verifier stops with 0xC4/DA at unload.' },
  etw: {
    why: 'The system calls the provider’s enable callback in an image that is gone. Driver Verifier stops with 0xC4/DD at unload.',
  },
  callbacks: {
    why: 'The kernel keeps the routine’s address and calls it when the event comes: in an image that is gone, and for a bug check callback in the midst of a crash.',
  },
  'ex-lookaside': {
    why: 'The system keeps every lookaside list on a list of its own. One that lies in freed memory corrupts that list: Driver Verifier stops with 0xC4/CC when its memory is freed, and without it the system crashes later and elsewhere.',
  },
  eresource: {
    why: 'The system keeps every ERESOURCE on a list of its own. One that lies in freed memory corrupts that list: Driver Verifier stops with 0xC4/D2 when its memory is freed.',
  },
  'rtl-string': { why: 'The routine allocated the string’s buffer from paged pool for the caller; it is lost.' },
};
