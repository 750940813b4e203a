import { expect, it } from 'vitest';
import { pageUrl } from './pages.ts';
import { catalogue } from './rules.ts';

it('finds the page of each kind of source', () => {
  const learn = 'https://learn.microsoft.com/windows-hardware/drivers';
  expect(pageUrl('N:halt-handler')).toBe(`${learn}/network/halt-handler`);
  expect(pageUrl('I:miniport_halt')).toBe(`${learn}/ddi/ndis/nc-ndis-miniport_halt`);
  expect(pageUrl('I:ndismfreeport')).toBe(`${learn}/ddi/ndis/nf-ndis-ndismfreeport`);
  expect(pageUrl('I:_ndis_miniport_pause_parameters')).toBe(
    `${learn}/ddi/ndis/ns-ndis-_ndis_miniport_pause_parameters`,
  );
  expect(pageUrl('B:ndisallocatenetbuffer')).toBe(`${learn}/ddi/nblapi/nf-nblapi-ndisallocatenetbuffer`);
  expect(pageUrl('W:pput_dma_adapter')).toBe(`${learn}/ddi/wdm/nc-wdm-pput_dma_adapter`);
  expect(pageUrl('G:bug-check-0x7c')).toBe(`${learn}/debugger/bug-check-0x7c--bugcode-ndis-driver`);
  expect(pageUrl('H:')).toBeUndefined();
});

it('every rule has a page', () => {
  for (const { id, sources } of catalogue()) {
    expect(
      sources.some((source) => pageUrl(source) !== undefined),
      id,
    ).toBe(true);
    // A bug check's page is named after the bug check, so each must be in the table.
    for (const source of sources)
      if (source.startsWith('G:bug-check')) expect(pageUrl(source), id).toMatch(/bug-check-0x[0-9a-f]+-/);
  }
});
