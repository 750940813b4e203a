/** Where configuration values come from, as NDIS needs it: keys by path, values of four types. */

export type ConfigurationValue =
  | { readonly type: 'integer'; readonly value: number }
  /** `multiString`: its parts with their zeroes between and after. */
  | { readonly type: 'string' | 'multiString'; readonly value: string }
  | { readonly type: 'binary'; readonly value: Uint8Array };

export interface ConfigurationKey {
  /** Names are compared without case, as the registry does. */
  read(name: string): ConfigurationValue | undefined;
  write(name: string, value: ConfigurationValue): void;
  subkey(name: string): ConfigurationKey | undefined;
  subkeyNames(): readonly string[];
}

export interface ConfigurationStore {
  open(path: string): ConfigurationKey | undefined;
}
