/** Settings from the registry. The handle lives only inside this function. */
import {
  type Coroutine,
  type Handle,
  header,
  NDIS_CONFIGURATION_PARAMETER,
  NDIS_STATUS_SUCCESS,
  NdisParameterInteger,
} from 'haltex';
import { ADDRESS_LENGTH, type Adapter, type Nic } from './adapter.ts';

/** The first byte's bit that tells a group address from an individual one. */
const GROUP = 0x01;

function* readExtraBuffers({ wdk }: Nic, adapter: Adapter, ConfigurationHandle: Handle): Coroutine<void> {
  const { Status, ParameterValue } = yield* wdk.NdisReadConfiguration({
    ConfigurationHandle,
    Keyword: wdk.string('ExtraReceiveBuffers'),
    ParameterType: NdisParameterInteger,
  });
  // An absent value is the everyday case; NDIS does not check the range.
  if (Status !== NDIS_STATUS_SUCCESS) return;
  const { ParameterData } = NDIS_CONFIGURATION_PARAMETER.at(wdk.memory, ParameterValue);
  adapter.WantExtraBuffers = wdk.memory.readU32(ParameterData.address) !== 0;
}

function* readAddressOverride({ wdk }: Nic, adapter: Adapter, ConfigurationHandle: Handle): Coroutine<void> {
  const { Status, NetworkAddress, NetworkAddressLength } = yield* wdk.NdisReadNetworkAddress({ ConfigurationHandle });
  if (Status !== NDIS_STATUS_SUCCESS || NetworkAddressLength !== ADDRESS_LENGTH) return;
  // Copied: the buffer goes with the handle (rule config-value-used-after-close).
  const address = wdk.memory.read(NetworkAddress, ADDRESS_LENGTH);
  if (((address[0] ?? 0) & GROUP) === 0) adapter.CurrentAddress = address;
}

export const configuration = {
  *acquire(nic: Nic, adapter: Adapter): Coroutine<number> {
    adapter.WantExtraBuffers = true;
    const { result, ConfigurationHandle } = yield* nic.wdk.NdisOpenConfigurationEx({
      ConfigObject: { Header: header('NDIS_CONFIGURATION_OBJECT'), NdisHandle: adapter.AdapterHandle },
    });
    if (result !== NDIS_STATUS_SUCCESS) return result;
    yield* readExtraBuffers(nic, adapter, ConfigurationHandle);
    yield* readAddressOverride(nic, adapter, ConfigurationHandle);
    // Rule halt-leaks-config-handle: closed as soon as read.
    yield* nic.wdk.NdisCloseConfiguration({ ConfigurationHandle });
    return NDIS_STATUS_SUCCESS;
  },
};
