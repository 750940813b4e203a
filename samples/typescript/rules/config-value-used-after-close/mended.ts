/** Mended: read, copied, closed. */
import { header, NDIS_STATUS_SUCCESS } from 'haltex';
import { miniport } from '../miniport.ts';

export default miniport((wdk) => ({
  *initialize(adapter) {
    const { result, ConfigurationHandle } = yield* wdk.NdisOpenConfigurationEx({
      ConfigObject: { Header: header('NDIS_CONFIGURATION_OBJECT'), NdisHandle: adapter.AdapterHandle },
    });
    if (result !== NDIS_STATUS_SUCCESS) return result;
    const { Status, NetworkAddress, NetworkAddressLength } = yield* wdk.NdisReadNetworkAddress({ ConfigurationHandle });
    const given = Status === NDIS_STATUS_SUCCESS && NetworkAddressLength > 0;
    if (given) adapter.Setting = wdk.memory.readU8(NetworkAddress);
    yield* wdk.NdisCloseConfiguration({ ConfigurationHandle });
    return NDIS_STATUS_SUCCESS;
  },
}));
