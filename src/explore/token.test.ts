import { expect, it } from 'vitest';
import type { DriverFile } from '../machine/driver-file.ts';
import { defineMiniport } from '../machine/miniport.ts';
import { plainScenario, type Scenario } from '../machine/scenario.ts';
import { decodeToken, encodeToken, TokenError } from './token.ts';

const driver: DriverFile = {
  kind: 'typescript',
  name: 'x.ts',
  miniport: defineMiniport(() => {
    throw new Error('never loaded here');
  }),
};

const scenario: Scenario = {
  ...plainScenario,
  flow: 'init-halt',
  faults: [{ fn: 'NdisMRegisterInterruptEx', nth: 2, failure: 'resources' }],
  disturbances: [{ fn: 'NdisMDeregisterInterruptEx', nth: 1, event: 'late-dpc' }],
  workers: 'late',
  hardware: 'eeprom-wrong',
  settings: { '*SpeedDuplex': '4', Depth: 0xffff_ffff, Mac: [2, 0x48], Gone: null },
};

it('a token gives back exactly its scenario', () => {
  expect(decodeToken(driver, encodeToken(driver, scenario))).toEqual(scenario);
  expect(decodeToken(driver, encodeToken(driver, plainScenario))).toEqual(plainScenario);
});

it('a token holds a schedule', () => {
  const schedule = [{ at: 3, run: 'DPC of the NDIS timer 0xFFFFF80000007190' }];
  expect(decodeToken(driver, encodeToken(driver, { ...scenario, schedule }))).toEqual({ ...scenario, schedule });
  const token = `hx1.ts.${btoa('{"schedule":[{"at":-1,"run":"x"}]}').replace(/=+$/, '')}`;
  expect(() => decodeToken(driver, token)).toThrow('damaged');
});

it('a token from before a field existed means what it always meant', () => {
  const old = 'hx1.ts.eyJmbG93IjoiaW5pdC1oYWx0In0';
  expect(decodeToken(driver, old)).toEqual({ ...plainScenario, flow: 'init-halt' });
});

it('says in one sentence what is wrong with a token', () => {
  const say = (token: string) => {
    try {
      decodeToken(driver, token);
    } catch (error) {
      expect(error).toBeInstanceOf(TokenError);
      return (error as Error).message;
    }
    throw new Error(`«${token}» was taken`);
  };
  expect(say('')).toContain('not a replay token');
  expect(say('hx1.0123456789ab.e30')).toContain('another build of the driver');
  expect(say('hx1.ts.!!!')).toContain('damaged');
  expect(say(`hx1.ts.${btoa('{"flow":"somewhere"}')}`)).toContain('damaged');
  expect(say(`hx1.ts.${btoa('{"faults":[{"fn":1}]}').replace(/=+$/, '')}`)).toContain('damaged');
  expect(say(`hx1.ts.${btoa('[]')}`)).toContain('damaged');
});
