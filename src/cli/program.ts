/** The command line. Commands parse and print here; the work is in the rooms to the left. */
import { availableParallelism } from 'node:os';
import { Command, CommanderError } from 'commander';
import { InternalError } from '../kernel/stops.ts';
import type { DriverFile } from '../machine/driver-file.ts';
import { reporters } from '../report/reporters.ts';
import { defaultBudget, parseBudget, runCheck } from './check.ts';
import { loadConfig } from './config.ts';
import { ExitCode, InputError } from './errors.ts';
import { runExplain } from './explain.ts';
import { runInit } from './init.ts';
import { runLint } from './lint.ts';
import { loadDriverFile } from './load.ts';
import { type MachineOptions, machineFor } from './machine-options.ts';
import { parseReporters } from './outputs.ts';
import { type ReplayFlags, runReplay } from './replay.ts';
import { symbolsFor } from './symbols.ts';
import { runUi, UI_PORT } from './ui.ts';
import { version } from './version.ts';

const collect = (value: string, before: readonly string[] = []) => [...before, value];

/** What a command about a driver takes. */
type DriverFlags = MachineOptions & { readonly symbols?: string };

type CheckFlags = DriverFlags & {
  readonly config?: string;
  readonly reporter?: string[];
  readonly budget?: string;
  readonly bail?: boolean;
  readonly races?: boolean;
  readonly only?: string[];
  readonly workers?: string;
};

/** The machine as flags and configuration describe it. */
function machineOptions(flags: MachineOptions, given: MachineOptions): MachineOptions {
  const device = flags.device ?? given.device;
  const inf = flags.inf ?? given.inf;
  return { ...(device === undefined ? {} : { device }), ...(inf === undefined ? {} : { inf }) };
}

function parseWorkers(text: string): number {
  if (!/^[0-9]{1,3}$/.test(text)) throw new InputError(`--workers ${text}: give a number of threads, 0 for none.`);
  return Number(text);
}

function program(finish: (code: number) => void): Command {
  const haltex = new Command('haltex')
    .description('Proves that a Windows NDIS 6 miniport driver unloads cleanly.')
    .version(version)
    .showSuggestionAfterError()
    .exitOverride();

  const withMachine = (command: Command, driver: '<driver>' | '[driver]' = '<driver>') =>
    command
      .argument(driver, 'an x64 .sys as shipped, or a miniport in TypeScript')
      .option(
        '--device <model>',
        'the hardware: a bundled model by name, a .ts file that defines one, generic, a hardware id, or none',
      )
      .option('--inf <file>', "the driver's INF: its hardware ids and registry values")
      .option('--symbols <file|folder>', "the driver's PDB; by default the one beside it");

  /** The driver's debug information. A PDB that is merely there and of no use is told, and that is all. */
  const symbols = (driver: DriverFile, path: string, named: string | undefined) => {
    const found = symbolsFor(driver, path, named);
    if (found.warning !== undefined) process.stderr.write(`haltex: ${found.warning}\n`);
    return found.symbols;
  };

  withMachine(haltex.command('check'), '[driver]')
    .description('plays every scenario on the driver and reports what was not undone')
    .option(
      '--reporter <name[=file]>',
      `${Object.keys(reporters).join(', ')}, to a file or to standard output; may be repeated`,
      collect,
    )
    .option(
      '--budget <n|time>',
      `how many scenarios at most, or for how long (30s, 5m); ${defaultBudget.scenarios} scenarios by default`,
    )
    .option('--bail', 'stop at the first finding')
    .option('--races', 'search for races around halt too: other orders of what runs beside it')
    .option('--only <rule|phase>', 'only this rule, or only this phase; may be repeated', collect)
    .option('--config <file>', 'what else to go by; by default haltex.config.ts in this folder')
    .option('--workers <n>', 'threads that play beside the first; by default one less than there are processors')
    .addHelpText(
      'after',
      '\nExamples:\n  haltex check mydriver.sys\n  haltex check ./mydriver.ts --reporter json=result.json\n  haltex check mydriver.sys --reporter html=report.html --reporter sarif=haltex.sarif\n  haltex check mydriver.sys --budget 30s --bail\n\nExit codes: 0 clean, 1 findings, 2 bad usage or input, 3 inconclusive; 70 a fault of haltex itself; 130 interrupted.',
    )
    .action(async (named: string | undefined, { config: file, ...flags }: CheckFlags) => {
      const given = await loadConfig(file);
      const path = named ?? given.driver;
      if (path === undefined) {
        throw new InputError(
          'which driver? Name it: haltex check mydriver.sys, or write a configuration: haltex init.',
        );
      }
      const outputs = parseReporters(flags.reporter ?? given.reporters ?? []);
      const budget = flags.budget ?? given.budget;
      const driver = await loadDriverFile(path);
      const settings = {
        outputs,
        budget: budget === undefined ? defaultBudget : parseBudget(String(budget)),
        bail: flags.bail ?? given.bail ?? false,
        races: flags.races ?? given.races ?? false,
        only: flags.only ?? given.only ?? [],
        workers:
          flags.workers === undefined ? (given.workers ?? availableParallelism() - 1) : parseWorkers(flags.workers),
        symbols: symbols(driver, path, flags.symbols ?? given.symbols),
      };
      const machine = machineOptions(flags, given);
      const config = await machineFor(driver, path, machine);
      finish(await runCheck(config, { driver: path, options: machine }, settings));
    });

  haltex
    .command('init')
    .description('writes a haltex.config.ts for the driver it finds here')
    .argument('[driver]', 'the driver, where there is more than one')
    .addHelpText('after', '\nExamples:\n  haltex init\n  haltex init x64/Release/mydriver.sys')
    .action((driver: string | undefined) => finish(runInit(driver)));

  haltex
    .command('lint')
    .description('says at once what the imports and the code show, without playing the driver')
    .argument('<driver>', 'an x64 .sys as shipped')
    .addHelpText('after', '\nExample:\n  haltex lint mydriver.sys')
    .action(async (path: string) => {
      finish(runLint(await machineFor(await loadDriverFile(path), path, {})));
    });

  withMachine(haltex.command('replay'))
    .description('plays one scenario again: a race as a story in two columns, anything else step by step')
    .argument('<token>', 'the token of a finding')
    .option('--all', 'every event, also of a race')
    .option('--from <event>', 'from the event with this number on')
    .option('--until <event>', 'up to the event with this number')
    .option('--grep <text>', 'only events whose line has this text, in any case')
    .addHelpText(
      'after',
      '\nExamples:\n  haltex replay mydriver.sys hx1.1c7228bfb000.e30\n  haltex replay mydriver.sys hx1.1c7228bfb000.e30 --from 120 --until 180\n  haltex replay mydriver.sys hx1.1c7228bfb000.e30 --grep interrupt\n\nExit codes: as haltex check.',
    )
    .action(async (path: string, token: string, flags: DriverFlags & ReplayFlags) => {
      const driver = await loadDriverFile(path);
      const known = symbols(driver, path, flags.symbols);
      finish(runReplay(await machineFor(driver, path, flags), token, flags, known));
    });

  haltex
    .command('explain')
    .description(
      'says what a rule means, why it exists, and shows a broken and a mended example; without a rule, lists them',
    )
    .argument('[rule]', "the rule's id, as findings name it")
    .addHelpText('after', '\nExamples:\n  haltex explain\n  haltex explain halt-leaks-interrupt')
    .action((rule: string | undefined) => finish(runExplain(rule)));

  haltex
    .command('ui')
    .description('serves the same in the browser: drop a driver on the page; nothing is uploaded')
    .option('--port <n>', `where on this machine; ${UI_PORT} by default, or any that is free`)
    .addHelpText('after', '\nExample:\n  haltex ui --port 8080')
    .action(async ({ port }: { readonly port?: string }) => finish(await runUi(port)));

  return haltex;
}

/** Runs the command line and gives the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  let code: number = ExitCode.usage;
  try {
    await program((given) => {
      code = given;
    }).parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.clean : ExitCode.usage;
    if (error instanceof InputError) {
      process.stderr.write(`haltex: ${error.message}\n`);
      return ExitCode.usage;
    }
    process.stderr.write(ownFault(error));
    return ExitCode.ownFault;
  }
}

/** What a user can send us: that it is not their driver's fault, an id, and where it happened. */
function ownFault(error: unknown): string {
  const { message, stack = '' } = error instanceof Error ? error : new Error(String(error));
  const id = error instanceof InternalError ? error.id : 'unforeseen';
  const where = stack
    .split('\n')
    .filter((line) => line.startsWith('    at '))
    .join('\n');
  return `haltex: a fault of haltex itself (${id}), not of the driver: ${message}\nPlease report it with these lines (haltex ${version}, Node ${process.version}):\n${where}\n`;
}
