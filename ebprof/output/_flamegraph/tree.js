/* A call tree as columns: parents before their children, siblings from left to right. Node 0 is the root. */

export const ROOT = 0;

export class Tree {
  /* parent, fn: by node, -1 of the root; own: columns of what ends at each node, one for a profile and two
   * for a comparison.
   */
  constructor(parent, fn, own) {
    this.parent = parent;
    this.fn = fn;
    this.own = own;
    this.size = parent.length;
    this.depth = new Int32Array(this.size);
    for (let node = 1; node < this.size; node++) this.depth[node] = this.depth[parent[node]] + 1;
    this.total = own.map((column) => this.summed(column));
  }

  /* Of each node and all below it. */
  summed(column) {
    const total = Float64Array.from(column);
    for (let node = this.size - 1; node > 0; node--) total[this.parent[node]] += total[node];
    return total;
  }
}

/* The tree of branches, as files hold them: each has its first `common` nodes with the one before it, and
 * `added` ones of its own. columns: what ends at the last node of each.
 */
export function fromBranches({ nodes, common, added }, columns) {
  const size = nodes.length + 1;
  const parent = new Int32Array(size).fill(-1);
  const own = columns.map(() => new Float64Array(size));
  const path = [ROOT];
  let node = 1;
  for (let branch = 0; branch < common.length; branch++) {
    path.length = common[branch] + 1;
    for (let step = 0; step < added[branch]; step++, node++) {
      parent[node] = path[path.length - 1];
      path.push(node);
    }
    const last = path[path.length - 1];
    columns.forEach((column, which) => { own[which][last] += column[branch]; });
  }
  return new Tree(parent, Int32Array.from([-1, ...nodes]), own);
}

/* The tree of columns by node, parents before their children; siblings get the order of their functions. */
export function ordered(parent, fn, own) {
  const children = Array.from(parent, () => []);
  for (let node = 1; node < parent.length; node++) children[parent[node]].push(node);
  const order = [ROOT];
  const place = new Int32Array(parent.length);
  for (let at = 0; at < order.length; at++) {
    place[order[at]] = at;
    for (const child of children[order[at]].sort((a, b) => fn[a] - fn[b])) order.push(child);
  }
  return new Tree(
    Int32Array.from(order, (node) => (node ? place[parent[node]] : -1)),
    Int32Array.from(order, (node) => fn[node]),
    own.map((column) => Float64Array.from(order, (node) => column[node])),
  );
}

/* Where nodes stand: start and count by node, and `levels`, the nodes of each depth from left to right. Those
 * without any width are in none.
 */
export class Layout {
  constructor(tree, width) {
    const { size, parent, depth } = tree;
    this.tree = tree;
    this.count = width;
    this.start = new Float64Array(size);
    this.levels = [[ROOT]];
    const free = new Float64Array(size);
    for (let node = 1; node < size; node++) {
      if (!width[node]) continue;
      this.start[node] = free[parent[node]];
      free[node] = this.start[node];
      free[parent[node]] += width[node];
      (this.levels[depth[node]] ??= []).push(node);
    }
  }

  endOf(node) {
    return this.start[node] + this.count[node];
  }

  /* Index in a level of the first node that ends right of `position`. */
  firstEndingAfter(level, position) {
    let low = 0;
    let high = level.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.endOf(level[middle]) > position) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  nodeAt(depth, position) {
    const level = this.levels[depth];
    if (!level) return -1;
    const node = level[this.firstEndingAfter(level, position)];
    return node !== undefined && this.start[node] <= position ? node : -1;
  }

  widestChild(node) {
    const level = this.levels[this.tree.depth[node] + 1] ?? [];
    let best = -1;
    for (let at = this.firstEndingAfter(level, this.start[node]); at < level.length; at++) {
      if (this.tree.parent[level[at]] !== node) break;
      if (best < 0 || this.count[level[at]] > this.count[best]) best = level[at];
    }
    return best;
  }

  neighbour(node, step) {
    const level = this.levels[this.tree.depth[node]];
    return level[this.firstEndingAfter(level, this.start[node]) + step] ?? node;
  }

  isWithin(node, other) {
    return this.start[node] >= this.start[other] && this.endOf(node) <= this.endOf(other);
  }
}
