/**
 * Translates one region: discovery, flag liveness, lifting block by block, nesting, and the function around it.
 */
import type { Address } from '../trace/units.ts';
import { toBits } from '../trace/units.ts';
import { Body, type Label, StoreOp, zero } from './body.ts';
import type { Block, Cfg, Discovery } from './cfg.ts';
import type { Instruction } from './decode.ts';
import { encodeModule, regionType, Type } from './emit.ts';
import { type FlagState, packedState, stateCode } from './flags.ts';
import { Layout } from './layout.ts';
import { commonFacts, type Facts } from './lift/checked.ts';
import { Frame, type MemoryLayout, type Site } from './lift/frame.ts';
import { Lift, normalise, noteState, type Way } from './lift/lift.ts';
import { flagLiveness, type Liveness } from './liveness.ts';
import { type Arm, type Graph, makeReducible, reversePostorder, type Shape, structure } from './structure.ts';
import { i32, i64, local } from './values.ts';

export interface RegionOptions {
  readonly memory: MemoryLayout;
  readonly memoryPages: number;
  /** Flags are exact at every exit, not only where the program may read them. */
  readonly exactFlags: boolean;
  /** The region's number, left in the engine's page when it comes back through a site. */
  readonly region: number;
  /** Whether an instruction gets its slow path in place. */
  readonly slow: (instruction: Instruction) => boolean;
  /** A slow path is taken always, not only where the inline check refuses. */
  readonly neverPlain?: boolean;
  /** The end of an exit: what follows the flush. Default: return to the dispatcher. */
  readonly dispatch?: (body: Body, frame: Frame) => void;
  readonly imports: Parameters<typeof encodeModule>[0]['imports'];
  /** With coverage: where in the engine's page a block leaves its mark, if anywhere. */
  readonly mark?: (start: Address, end: Address) => number | undefined;
}

export interface RegionCode {
  readonly module: Uint8Array;
  readonly sites: readonly Site[];
  /** By entry number. */
  readonly entries: readonly Address[];
  /** Addresses that indirect jumps inside go to; entry number `entries.length` takes any of them, as the RIP cell says. */
  readonly targets: readonly Address[];
  readonly instructions: number;
  /** An entry behind a call reads flags: a callee returns something in them. */
  readonly flagsAcrossCall: boolean;
}

/** Fibonacci hashing: 2^32 over the golden ratio. */
const HASH = 0x9e3779b9 | 0;

interface Lifted {
  readonly lift: Lift;
  readonly entry: FlagState | undefined;
  readonly exit: FlagState | undefined;
}

/** @param targets  where indirect jumps of the region are known to go: see Discovery. */
export function translate(
  discovery: Discovery,
  rip: Address,
  options: RegionOptions,
  targets: readonly Address[] = [],
): RegionCode {
  const cfg = discovery.discover(rip, targets);
  return new Translation(cfg, options).run();
}

class Translation {
  private readonly cfg: Cfg;
  private readonly options: RegionOptions;
  private readonly frame: Frame;
  private readonly liveness: Liveness;
  private readonly graph: Graph;
  private readonly lifted: Lifted[] = [];
  /** Block ids, by block. */
  private readonly predecessors: readonly number[][];
  /** No target of the hub reads flags: they pass through it in whatever form a jump left them, noted in `frame.flagKind`. */
  private readonly anyFlags: boolean;
  /** Enclosing labels while nesting, innermost last; undefined for an `if`. */
  private readonly open: { label: number | undefined; loop: boolean }[] = [];

  constructor(cfg: Cfg, options: RegionOptions) {
    this.cfg = cfg;
    this.options = options;
    this.frame = new Frame(options.memory);
    this.predecessors = cfg.blocks.map(() => []);
    for (const { id, edges } of cfg.blocks) {
      for (const edge of edges) if ('block' in edge) this.predecessors[edge.block]!.push(id);
    }
    this.liveness = flagLiveness(cfg, options.exactFlags);
    const hubEdges = cfg.hub === undefined ? [] : cfg.blocks[cfg.hub]!.edges;
    this.anyFlags = hubEdges.every((edge) => 'block' in edge && !this.liveness.entry[edge.block]);
    this.graph = makeReducible(
      cfg.blocks.map((b) => b.edges.flatMap((e) => ('block' in e ? [e.block] : []))),
      cfg.entries,
    );
  }

  run(): RegionCode {
    const { cfg, frame, options } = this;
    const { shapes, loops } = structure(this.graph);
    for (const node of reversePostorder(this.graph)) if (node < this.graph.nodes) this.liftBlock(cfg.blocks[node]!);
    this.checkBudgets(loops);

    const inner = new Body(frame.locals);
    inner.block();
    inner.block();
    this.open.push({ label: undefined, loop: false }, { label: undefined, loop: false });
    this.enterWithFlags(inner);
    this.nest(inner, shapes);
    inner.unreachable();
    inner.end();
    frame.saveFlags(inner);
    inner.end();
    frame.epilogue(inner);
    inner.store(StoreOp.i64, zero, local(Type.i64, frame.rip), frame.cell(Layout.rip));
    inner.store(StoreOp.i32, zero, i32.const(options.region), frame.cell(Layout.region));
    options.dispatch?.(inner, frame);

    // the prologue loads what the code turned out to use
    const body = new Body(frame.locals);
    frame.prologue(body);
    if (cfg.hub !== undefined) body.set(frame.rip, i64.load(zero, frame.cell(Layout.rip)));
    body.append(inner, () => 0);
    const module = encodeModule({
      memoryPages: options.memoryPages,
      table: options.dispatch !== undefined,
      imports: options.imports,
      functions: [{ name: 'f', type: regionType, locals: frame.locals.types, code: body.bytes }],
    });
    return {
      module,
      sites: frame.sites,
      entries: cfg.entries.filter((id) => id !== cfg.hub).map((id) => cfg.blocks[id]!.rip),
      targets: cfg.hub === undefined ? [] : cfg.blocks[cfg.hub]!.targets!,
      instructions: cfg.instructions,
      flagsAcrossCall: !options.exactFlags && [...cfg.afterCall].some((id) => this.liveness.entry[id] !== 0),
    };
  }

  // --- blocks ---

  /** The flags' state a block begins with: what its predecessors agree on, else packed. */
  private entryState(block: Block): FlagState | undefined {
    if (!this.liveness.entry[block.id] || (block.targets && this.anyFlags)) return undefined;
    if (this.cfg.entries.includes(block.id)) return packedState;
    let agreed: FlagState | undefined;
    for (const from of this.predecessors[block.id]!) {
      const state = this.lifted[from]?.exit;
      if (!state || (agreed && stateCode(agreed) !== stateCode(state))) return packedState;
      agreed = state;
    }
    return agreed ?? packedState;
  }

  /** What memory checks before a block have proved: nothing at entries and heads of loops. */
  private entryFacts(block: Block): Facts {
    if (this.cfg.entries.includes(block.id)) return new Map();
    const ways = this.predecessors[block.id]!.map((id) => this.lifted[id]?.lift.knownFacts() ?? new Map());
    return commonFacts(ways);
  }

  private liftBlock(block: Block): void {
    const { frame } = this;
    const entry = this.entryState(block);
    const lift = new Lift(frame, entry, this.entryFacts(block), this.options);
    const live = this.liveness.before[block.id]!;
    lift.inlinedReturn = block.context?.returnTo;
    const count = block.steps.length;
    const last = block.steps.at(-1)?.instruction;
    const mark = last && this.options.mark?.(block.rip, last.next);
    if (mark !== undefined) lift.body.store(StoreOp.i32_8, zero, i32.const(1), frame.cell(mark));
    if (count > 0) lift.body.set(frame.fuel, i32.sub(local(Type.i32, frame.fuel), i32.const(count)));
    block.steps.forEach(({ instruction, record }, i) => {
      lift.begin(instruction, live[i]!, live[i + 1]!, count - i);
      if (!record) lift.leave('unsupported');
      else if (record.lift) record.lift(lift, instruction);
      else lift.leave('helper');
      // the ending's values live on to the block's end, where no other temporary is taken
      if (i < count - 1) lift.finish();
    });
    lift.finish();
    if (!lift.ending && !block.stops) lift.ending = { taken: { kind: 'edge', edge: 0 } };
    if (!live[count]) lift.state = undefined;
    this.lifted[block.id] = { lift, entry, exit: lift.state };
  }

  /** Where every loop passes: its head, or behind the dispatcher that heads it. */
  private checkBudgets(loops: ReadonlySet<number>): void {
    const { frame, graph } = this;
    const checked = new Set<Lift>();
    for (const head of loops) {
      const heads = head < graph.nodes ? [head] : graph.edges[head]!.map(({ to }) => to);
      for (const node of heads) {
        const { lift, entry } = this.lifted[node]!;
        if (checked.has(lift)) continue;
        checked.add(lift);
        const check = new Body(frame.locals);
        const stop = i32.load(zero, frame.cell(Layout.stop));
        check.if(i32.lt_s(i32.or(local(Type.i32, frame.fuel), stop), i32.const(0)));
        const site = {
          kind: 'budget',
          rip: node === this.cfg.hub ? undefined : this.cfg.blocks[node]!.rip,
          unused: 0,
          state: entry,
          instruction: undefined,
        } as const;
        check.set(frame.site, i32.const(frame.addSite(site)));
        check.leaveTo(entry || node === this.cfg.hub ? 'flags' : 'leave');
        check.end();
        lift.body.prepend(check);
      }
    }
  }

  // --- nesting ---

  /** Entries that read flags take them packed from the engine's page; the engine packs them when they are not. */
  private enterWithFlags(body: Body): void {
    const { cfg, frame } = this;
    cfg.entries.forEach((id, number) => {
      if (!this.liveness.entry[id]) return;
      body.if(cfg.entries.length > 1 ? i32.eq(local(Type.i32, 0), i32.const(number)) : i32.const(1));
      body.set(frame.flagLocal(0), i64.load(zero, frame.cell(Layout.flagX)));
      if (id === cfg.hub && this.anyFlags) {
        body.set(frame.flagLocal(1), i64.load(zero, frame.cell(Layout.flagY)));
        body.set(frame.flagLocal(2), i64.load(zero, frame.cell(Layout.flagZ)));
        body.set(frame.flagKind, i32.load(zero, frame.cell(Layout.flagKind)));
        body.end();
        return;
      }
      body.if(i32.ne(i32.load(zero, frame.cell(Layout.flagKind)), i32.const(stateCode(packedState))));
      const piece = new Body(frame.locals);
      const site = {
        kind: 'flags',
        rip: id === cfg.hub ? undefined : cfg.blocks[id]!.rip,
        unused: 0,
        state: undefined,
        instruction: undefined,
      } as const;
      piece.set(frame.site, i32.const(frame.addSite(site)));
      piece.leaveTo('leave');
      body.append(piece, () => 3);
      body.end();
      body.end();
    });
  }

  private nest(body: Body, shapes: readonly Shape[]): void {
    for (const shape of shapes) {
      if (shape.kind === 'node') {
        if (shape.node < this.graph.nodes) this.block(body, shape.node, shape.arms);
        else this.dispatcher(body, shape.node, shape.arms);
        continue;
      }
      this.open.push({ label: shape.label, loop: shape.kind === 'loop' });
      if (shape.kind === 'loop') body.loop();
      else body.block();
      this.nest(body, shape.body);
      if (shape.kind === 'loop') body.unreachable();
      body.end();
      this.open.pop();
    }
  }

  private dispatcher(body: Body, node: number, arms: readonly Arm[]): void {
    const [first] = arms;
    if (arms.length === 1) {
      this.follow(body, first!);
      return;
    }
    const selector = node === this.graph.root ? 0 : this.frame.next;
    if (arms.some((arm) => arm.edge.index !== undefined)) {
      // the way to a further dispatcher needs its selector set: branch out of a ladder of blocks
      for (let i = 0; i < arms.length; i++) body.block();
      body.brTable(local(Type.i32, selector), arms.map((_, i) => i), arms.length - 1); // biome-ignore format: short
      arms.forEach((arm, i) => {
        body.end();
        for (let open = arms.length - 1 - i; open > 0; open--) this.open.push({ label: undefined, loop: false });
        this.follow(body, arm);
        for (let open = arms.length - 1 - i; open > 0; open--) this.open.pop();
      });
      return;
    }
    const depths = arms.map((arm) => this.depthOf(arm));
    body.brTable(local(Type.i32, selector), depths, depths.at(-1)!);
  }

  private depthOf(arm: Arm): number {
    const { open } = this;
    for (let i = open.length - 1; i >= 0; i--) {
      if (open[i]!.label === arm.edge.to && open[i]!.loop === (arm.loop ?? false)) return open.length - 1 - i;
    }
    throw new Error(`x64-structure: no label for ${arm.edge.to}`);
  }

  private follow(body: Body, arm: Arm): void {
    if (arm.edge.index !== undefined) body.set(this.frame.next, i32.const(arm.edge.index));
    if (arm.inline) this.nest(body, arm.inline);
    else body.br(this.depthOf(arm));
  }

  private block(body: Body, node: number, arms: readonly Arm[]): void {
    const { lift, exit } = this.lifted[node]!;
    const block = this.cfg.blocks[node]!;
    body.append(lift.body, (label) => this.open.length - 1 - (label === 'leave' ? 0 : 1));
    if (block.targets) {
      this.hub(body, block.targets, arms);
      return;
    }
    const { ending } = lift;
    if (!ending) {
      body.unreachable();
      return;
    }
    if (ending.condition && ending.otherwise) {
      body.if(ending.condition);
      this.open.push({ label: undefined, loop: false });
      this.go(body, block, exit, ending.taken, arms);
      body.else();
      this.go(body, block, exit, ending.otherwise, arms);
      body.end();
      this.open.pop();
      body.unreachable();
    } else this.go(body, block, exit, ending.taken, arms);
  }

  /** Finds the block of the address in `frame.rip` by a hash table of `br_table`; what is not known leaves the region. */
  private hub(body: Body, targets: readonly Address[], arms: readonly Arm[]): void {
    const rip = local(Type.i64, this.frame.rip);
    const bits = Math.ceil(Math.log2(2 * targets.length));
    const slots = Array.from({ length: 1 << bits }, () => [] as number[]);
    targets.forEach((target, i) => {
      slots[Math.imul(Number(toBits(target) & 0xffffffffn), HASH) >>> (32 - bits)]!.push(i);
    });
    const used = slots.filter((slot) => slot.length > 0);
    const hash = i32.shr_u(i32.mul(i32.wrap(rip), i32.const(HASH)), i32.const(32 - bits));
    for (let i = 0; i <= used.length; i++) body.block();
    body.brTable(hash, slots.map((slot) => (slot.length > 0 ? used.indexOf(slot) : used.length)), used.length); // biome-ignore format: short
    used.forEach((slot, i) => {
      body.end();
      const open = used.length - i;
      for (let n = 0; n <= open; n++) this.open.push({ label: undefined, loop: false });
      for (const target of slot) {
        body.if(i64.eq(rip, i64.const(BigInt.asIntN(64, toBits(targets[target]!)))));
        this.follow(body, arms[target]!);
        body.end();
      }
      for (let n = 0; n <= open; n++) this.open.pop();
      body.br(open - 1);
    });
    body.end();
    if (!this.anyFlags) noteState(body, this.frame, packedState);
    this.jumpOut(body, 'flags');
  }

  /** Leaves to the address in `frame.rip` by an indirect jump, and notes where: see the engine's `learn`. */
  private jumpOut(body: Body, to: Label): void {
    const { frame } = this;
    body.store(StoreOp.i64, zero, local(Type.i64, frame.rip), frame.cell(Layout.jumpedTo));
    body.store(StoreOp.i32, zero, i32.const(this.options.region), frame.cell(Layout.jumpedFrom));
    this.leave(body, to);
  }

  private leave(body: Body, to: Label): void {
    const piece = new Body(this.frame.locals);
    piece.leaveTo(to);
    body.append(piece, (label) => this.open.length - 1 - (label === 'leave' ? 0 : 1));
  }

  private go(body: Body, block: Block, state: FlagState | undefined, way: Way, arms: readonly Arm[]): void {
    const { frame } = this;
    if (way.kind === 'edge') {
      const edge = block.edges[way.edge]!;
      if ('block' in edge) {
        const target = this.lifted[edge.block]!;
        if (target.entry && state && stateCode(target.entry) !== stateCode(state)) {
          normalise(body, frame, state, this.liveness.entry[edge.block]!);
        }
        const position = block.edges.slice(0, way.edge).filter((e) => 'block' in e).length;
        this.follow(body, arms[position]!);
        return;
      }
      body.set(frame.rip, i64.const(BigInt.asIntN(64, toBits(edge.rip))));
    } else {
      body.set(frame.rip, way.rip);
      if (block.steps.at(-1)?.record?.control === 'jump') {
        if (this.cfg.hub === undefined) {
          if (state) noteState(body, frame, state);
          this.jumpOut(body, state ? 'flags' : 'leave');
        } else {
          if (state && this.anyFlags) noteState(body, frame, state);
          else if (state) normalise(body, frame, state, this.liveness.entry[this.cfg.hub]!);
          this.follow(body, arms[0]!);
        }
        return;
      }
    }
    if (state) noteState(body, frame, state);
    this.leave(body, state ? 'flags' : 'leave');
  }
}
