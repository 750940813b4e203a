/**
 * Turns a control-flow graph into WebAssembly's nested blocks and loops: Ramsey, "Beyond Relooper" (ICFP 2022), on the dominator
 * tree. Loops with several ways in (a region has an entry behind each call) first get one dispatch node each, through which
 * all their ways in go; other loops are left alone.
 */

/** An edge; `index` selects among the targets of the dispatch node it goes to. */
export interface GraphEdge {
  to: number;
  index?: number;
}

export interface Graph {
  /** Edges of each node, in the order its code chooses among them. Nodes from `nodes` on are dispatchers. */
  readonly edges: GraphEdge[][];
  /** Nodes with code: 0 .. nodes-1. Behind them come dispatchers, last of all the root. */
  readonly nodes: number;
  readonly root: number;
}

export type Shape =
  | { readonly kind: 'block' | 'loop'; readonly label: number; readonly body: Shape[] }
  /** The node's code, then one arm by its outcome. */
  | { readonly kind: 'node'; readonly node: number; readonly arms: readonly Arm[] };
/** A branch to an enclosing label, or the target's shape right here. */
export type Arm = { readonly edge: GraphEdge; readonly loop?: boolean; readonly inline?: Shape[] };

/** Adds dispatchers and a root over `entries`, so that every cycle has one way in. */
export function makeReducible(successors: readonly (readonly number[])[], entries: readonly number[]): Graph {
  const edges: GraphEdge[][] = successors.map((list) => list.map((to) => ({ to })));
  const nodes = edges.length;
  const rootEdges: GraphEdge[] = entries.map((to) => ({ to }));

  const split = (members: Set<number>): void => {
    for (const component of components(edges, members)) {
      const inside = new Set(component);
      const ways = new Set<number>();
      const visit = (list: GraphEdge[]) => {
        for (const { to } of list) if (inside.has(to)) ways.add(to);
      };
      visit(rootEdges);
      edges.forEach((list, from) => {
        if (!inside.has(from)) visit(list);
      });
      if (ways.size === 0) continue; // unreachable: what follows a call that never returns
      let header: number;
      if (ways.size > 1) {
        header = edges.length;
        const targets = [...ways].sort((a, b) => a - b);
        const redirect = (list: GraphEdge[]) => {
          for (const edge of list) {
            const index = targets.indexOf(edge.to);
            if (index < 0) continue;
            edge.to = header;
            edge.index = index;
          }
        };
        redirect(rootEdges);
        edges.forEach(redirect);
        edges.push(targets.map((to) => ({ to })));
      } else header = [...ways][0]!;
      inside.delete(header);
      split(inside);
    }
  };
  split(new Set(edges.keys()));
  edges.push(rootEdges);
  return { edges, nodes, root: edges.length - 1 };
}

/** Strongly connected components with a cycle, within `members` (Tarjan, without recursion). */
function components(edges: readonly GraphEdge[][], members: ReadonlySet<number>): number[][] {
  const index = new Map<number, number>();
  const low = new Map<number, number>();
  const onStack = new Set<number>();
  const stack: number[] = [];
  const found: number[][] = [];
  for (const start of members) {
    if (index.has(start)) continue;
    const work: { node: number; next: number }[] = [{ node: start, next: 0 }];
    while (work.length) {
      const top = work.at(-1)!;
      const { node } = top;
      if (top.next === 0) {
        index.set(node, index.size);
        low.set(node, index.get(node)!);
        stack.push(node);
        onStack.add(node);
      }
      const edge = edges[node]![top.next++];
      if (edge) {
        if (!members.has(edge.to)) continue;
        if (!index.has(edge.to)) work.push({ node: edge.to, next: 0 });
        else if (onStack.has(edge.to)) low.set(node, Math.min(low.get(node)!, index.get(edge.to)!));
        continue;
      }
      work.pop();
      const parent = work.at(-1);
      if (parent) low.set(parent.node, Math.min(low.get(parent.node)!, low.get(node)!));
      if (low.get(node) !== index.get(node)) continue;
      const component: number[] = [];
      for (;;) {
        const member = stack.pop()!;
        onStack.delete(member);
        component.push(member);
        if (member === node) break;
      }
      if (component.length > 1 || edges[node]!.some(({ to }) => to === node)) found.push(component);
    }
  }
  return found;
}

/** Reverse postorder of the nodes reachable from the root. */
export function reversePostorder(graph: Graph): number[] {
  const order: number[] = [];
  const seen = new Set([graph.root]);
  const work = [{ node: graph.root, next: 0 }];
  while (work.length) {
    const top = work.at(-1)!;
    const edge = graph.edges[top.node]![top.next++];
    if (!edge) {
      order.push(top.node);
      work.pop();
    } else if (!seen.has(edge.to)) {
      seen.add(edge.to);
      work.push({ node: edge.to, next: 0 });
    }
  }
  return order.reverse();
}

export interface Structure {
  readonly shapes: Shape[];
  /** Nodes that head a loop. */
  readonly loops: ReadonlySet<number>;
}

/** Nests a reducible graph. */
export function structure(graph: Graph): Structure {
  const order = reversePostorder(graph);
  const number = new Map(order.map((node, i) => [node, i]));
  const predecessors = new Map<number, number[]>(order.map((node) => [node, []]));
  for (const from of order) for (const { to } of graph.edges[from]!) predecessors.get(to)!.push(from);
  const dominator = dominators(order, number, predecessors);
  const children = new Map<number, number[]>(order.map((node) => [node, []]));
  for (const node of order) if (node !== graph.root) children.get(dominator.get(node)!)!.push(node);

  const loops = new Set<number>();
  const merges = new Set<number>();
  for (const node of order) {
    let forward = 0;
    for (const from of predecessors.get(node)!) {
      if (number.get(from)! >= number.get(node)!) loops.add(node);
      else forward++;
    }
    if (forward > 1) merges.add(node);
  }
  // a dispatcher's br_table needs labels
  for (const node of order) {
    if (node < graph.nodes || graph.edges[node]!.length < 2) continue;
    for (const { to } of graph.edges[node]!) merges.add(to);
  }

  const tree = (node: number): Shape[] => {
    const merged = children.get(node)!.filter((child) => merges.has(child));
    const body = within(node, merged);
    return loops.has(node) ? [{ kind: 'loop', label: node, body }] : body;
  };
  // `merged` is in reverse postorder: the last comes outermost, so that earlier ones can branch forward to it
  const within = (node: number, merged: readonly number[]): Shape[] => {
    let shapes: Shape[] = [{ kind: 'node', node, arms: graph.edges[node]!.map((edge) => arm(node, edge)) }];
    for (const target of merged) shapes = [{ kind: 'block', label: target, body: shapes }, ...tree(target)];
    return shapes;
  };
  const arm = (from: number, edge: GraphEdge): Arm => {
    if (number.get(edge.to)! <= number.get(from)!) return { edge, loop: true };
    if (merges.has(edge.to)) return { edge };
    return { edge, inline: tree(edge.to) };
  };
  return { shapes: tree(graph.root), loops };
}

/** Immediate dominators (Cooper, Harvey, Kennedy). */
function dominators(
  order: readonly number[],
  number: ReadonlyMap<number, number>,
  predecessors: ReadonlyMap<number, readonly number[]>,
): Map<number, number> {
  const root = order[0]!;
  const idom = new Map([[root, root]]);
  const meet = (a: number, b: number): number => {
    while (a !== b) {
      while (number.get(a)! > number.get(b)!) a = idom.get(a)!;
      while (number.get(b)! > number.get(a)!) b = idom.get(b)!;
    }
    return a;
  };
  for (let changed = true; changed; ) {
    changed = false;
    for (const node of order) {
      if (node === root) continue;
      let best: number | undefined;
      for (const from of predecessors.get(node)!) {
        if (!idom.has(from)) continue;
        best = best === undefined ? from : meet(best, from);
      }
      if (idom.get(node) !== best) {
        idom.set(node, best!);
        changed = true;
      }
    }
  }
  return idom;
}
