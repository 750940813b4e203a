import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Arm, type Graph, makeReducible, type Shape, structure } from './structure.ts';

/** Walks shapes the way WebAssembly would, choosing arms by a given sequence; returns the nodes with code it passes. */
function walk(graph: Graph, shapes: readonly Shape[], entry: number, choices: readonly number[]): number[] {
  const visited: number[] = [];
  let selector = entry;
  let step = 0;
  class Branch {
    readonly label: number;
    readonly loop: boolean;
    constructor(label: number, loop: boolean) {
      this.label = label;
      this.loop = loop;
    }
  }
  class Done {}
  const follow = (arm: Arm): void => {
    if (arm.edge.index !== undefined) selector = arm.edge.index;
    if (arm.inline) {
      run(arm.inline);
      throw new Error('fell out of an inlined arm');
    }
    throw new Branch(arm.edge.to, arm.loop ?? false);
  };
  const run = (list: readonly Shape[]): void => {
    for (const shape of list) {
      if (shape.kind === 'node') {
        if (shape.node >= graph.nodes) follow(shape.arms[selector] ?? shape.arms[0]!);
        visited.push(shape.node);
        if (visited.length >= choices.length || shape.arms.length === 0) throw new Done();
        follow(shape.arms[choices[step++]! % shape.arms.length]!);
        continue;
      }
      for (;;) {
        try {
          run(shape.body);
          throw new Error('fell out of a block');
        } catch (thrown) {
          if (!(thrown instanceof Branch) || thrown.label !== shape.label || thrown.loop !== (shape.kind === 'loop'))
            throw thrown;
          if (shape.kind === 'block') break;
        }
      }
    }
  };
  try {
    run(shapes);
  } catch (thrown) {
    if (!(thrown instanceof Done)) throw thrown;
  }
  return visited;
}

function walkPlain(successors: readonly (readonly number[])[], start: number, choices: readonly number[]): number[] {
  const visited: number[] = [];
  for (let node = start, step = 0; ; step++) {
    visited.push(node);
    const next = successors[node]!;
    if (visited.length >= choices.length || next.length === 0) return visited;
    node = next[choices[step]! % next.length]!;
  }
}

const graphs = fc.integer({ min: 1, max: 14 }).chain((n) =>
  fc.record({
    successors: fc.array(fc.array(fc.nat(n - 1), { maxLength: 2 }), { minLength: n, maxLength: n }),
    entries: fc.uniqueArray(fc.nat(n - 1), { minLength: 1, maxLength: 4 }),
    choices: fc.array(fc.nat(1), { minLength: 1, maxLength: 60 }),
  }),
);

test('any graph with any entries runs as the plain graph does', () => {
  fc.assert(
    fc.property(graphs, ({ successors, entries, choices }) => {
      const graph = makeReducible(successors, entries);
      const { shapes } = structure(graph);
      entries.forEach((start, number) => {
        expect(walk(graph, shapes, number, choices)).toEqual(walkPlain(successors, start, choices));
      });
    }),
    { numRuns: 1000 },
  );
});

test('a loop with one way in gets no dispatcher', () => {
  const graph = makeReducible([[1], [2], [1, 3], []], [0]);
  expect(graph.edges.length).toBe(graph.nodes + 1);
});

test('every cycle passes a loop head', () => {
  fc.assert(
    fc.property(graphs, ({ successors, entries }) => {
      const graph = makeReducible(successors, entries);
      const { loops } = structure(graph);
      // without the heads nothing goes round
      const state = new Map<number, 'open' | 'done'>();
      const visit = (node: number): void => {
        if (loops.has(node) || state.get(node) === 'done') return;
        expect(state.get(node)).toBeUndefined();
        state.set(node, 'open');
        for (const { to } of graph.edges[node]!) visit(to);
        state.set(node, 'done');
      };
      const reachable = new Set<number>();
      const reach = (node: number): void => {
        if (reachable.has(node)) return;
        reachable.add(node);
        for (const { to } of graph.edges[node]!) reach(to);
      };
      reach(graph.root);
      for (const node of reachable) visit(node);
    }),
    { numRuns: 300 },
  );
});
