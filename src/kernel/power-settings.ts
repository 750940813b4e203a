/**
 * Power settings: a routine is told the present value when it is registered, and again whenever it changes. This machine is
 * plugged in, its lid open, its display on, and none of that changes; a setting of another name has no value here, and saying so
 * stops the scenario. Pages: wdm-poregisterpowersettingcallback, ntifs-pounregisterpowersettingcallback; GUIDs: wdm.h.
 */
import { type Address, NULL } from '../trace/units.ts';
import type { Kernel } from './kernel.ts';
import { pointer } from './layout.ts';
import { CODE, callback, failsWith, functionsOf, OUT, P, POINTER, ULONG } from './record.ts';
import { Status } from './status.ts';
import { Unsupported } from './stops.ts';
import { guidText } from './text-conversions.ts';

export const POWER_SETTING_CALLBACK = callback({
  name: 'POWER_SETTING_CALLBACK',
  page: 'wdm-poregisterpowersettingcallback',
  params: { SettingGuid: POINTER, Value: POINTER, ValueLength: ULONG, Context: POINTER },
  returns: 'status',
  irql: P,
});

/** What a machine on its desk says of each setting (values: wdm.h; which of them a desktop machine has: assumed). */
const settings: Readonly<Record<string, number>> = {
  /** GUID_ACDC_POWER_SOURCE: PoAc. */
  '{5D3E9A59-E9D5-4B00-A6BD-FF34FF516548}': 0,
  /** GUID_BATTERY_PERCENTAGE_REMAINING. */
  '{A7AD8041-B45A-4CAE-87A3-EECBB468A9E1}': 100,
  /** GUID_MONITOR_POWER_ON. */
  '{02731015-4510-4526-99E6-E5A17EBD1AEA}': 1,
  /** GUID_CONSOLE_DISPLAY_STATE: PowerMonitorOn. */
  '{6FE69556-704A-47A0-8F24-C28D936FDA47}': 1,
  /** GUID_SESSION_DISPLAY_STATUS. */
  '{2B84C20E-AD23-4DDF-93DB-05FFBD7EFCA5}': 1,
  /** GUID_GLOBAL_USER_PRESENCE and GUID_SESSION_USER_PRESENCE: PowerUserPresent. */
  '{786E8A1D-B427-4344-9207-09E70BDCBEA9}': 0,
  '{3C0F4548-C03F-4C4D-B9F2-237EDE686376}': 0,
  /** GUID_LIDSWITCH_STATE_CHANGE: open. */
  '{BA3E0F4D-B817-4094-A2D1-D56379E6A0F3}': 1,
  /** GUID_SYSTEM_AWAYMODE: not entered. */
  '{98A7F580-01F7-48AA-9C0F-44352C29E5C0}': 0,
  /** GUID_POWER_SAVING_STATUS: off. */
  '{E00958C0-C213-4ACE-AC77-FECCED2EEEA5}': 0,
};

/** POWER_INFORMATION_LEVEL of POWER_PLATFORM_INFORMATION (wdm.h). */
const PLATFORM_INFORMATION = 66;

const f = functionsOf<Kernel>();

/** Calls the routine with the value of now; both lie in memory of the system that is gone afterwards. */
function* tell(kernel: Kernel, routine: Address, setting: Address, context: Address) {
  const { heap, invoker, memory } = kernel;
  const value = settings[guidText(memory, setting)] as number;
  const guid = heap.allocate(16, 'GUID of a power setting', { fill: 0 });
  memory.write(guid, memory.read(setting, 16));
  const cell = heap.allocate(4, 'value of a power setting', { fill: 0 });
  memory.writeU32(cell, value);
  yield* invoker.invoke(POWER_SETTING_CALLBACK, routine, {
    SettingGuid: guid,
    Value: cell,
    ValueLength: 4,
    Context: context,
  });
  heap.free(guid);
  heap.free(cell);
}

export const powerSettingFunctions = {
  PoRegisterPowerSettingCallback: f({
    module: 'ntoskrnl.exe',
    page: 'wdm-poregisterpowersettingcallback',
    params: { DeviceObject: POINTER, SettingGuid: POINTER, Callback: CODE, Context: POINTER, Handle: OUT(pointer) },
    returns: 'status',
    irql: P,
    acquires: { type: 'callbacks', key: ({ Handle }) => Handle.get() },
    failures: [failsWith('insufficient-resources', Status.INSUFFICIENT_RESOURCES)],
    /** The first call of the routine comes before this one returns, as it may (page). */
    *body(kernel, { SettingGuid, Callback, Context, Handle }, { fn }) {
      const name = guidText(kernel.memory, SettingGuid);
      if (settings[name] === undefined) {
        throw new Unsupported(fn, `the present value of the power setting ${name}`, kernel.stack());
      }
      Handle.set(kernel.callbacks.register('power setting registration', NULL, Callback, Context));
      yield* tell(kernel, Callback, SettingGuid, Context);
      return Status.SUCCESS;
    },
  }),
  PoUnregisterPowerSettingCallback: f({
    module: 'ntoskrnl.exe',
    page: 'ntifs-pounregisterpowersettingcallback',
    params: { Handle: POINTER },
    returns: 'status',
    irql: P,
    undoes: { types: ['callbacks'], key: ({ Handle }) => Handle, otherwise: () => Status.INVALID_PARAMETER },
    body: ({ callbacks }, { Handle }) => (callbacks.unregister(Handle) ? Status.SUCCESS : Status.INVALID_PARAMETER),
  }),
  ZwPowerInformation: f({
    module: 'ntoskrnl.exe',
    page: 'ntddk-zwpowerinformation',
    params: {
      InformationLevel: ULONG,
      InputBuffer: POINTER,
      InputBufferLength: ULONG,
      OutputBuffer: POINTER,
      OutputBufferLength: ULONG,
    },
    returns: 'status',
    irql: P,
    body(kernel, { InformationLevel, OutputBuffer, OutputBufferLength }, { fn }) {
      if (InformationLevel !== PLATFORM_INFORMATION) {
        throw new Unsupported(fn, `power information of level ${InformationLevel}`, kernel.stack());
      }
      if (OutputBufferLength < 1) return Status.BUFFER_TOO_SMALL;
      // AoAc: a machine that sleeps in S3, as this one does, has no modern standby.
      kernel.memory.writeU8(OutputBuffer, 0);
      return Status.SUCCESS;
    },
  }),
};
