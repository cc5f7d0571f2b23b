// SPDX-License-Identifier: Apache-2.0
// Places the nodes of a graph in the plane. A small graph is unfolded first: distances in the plane come near those along
// the links (stress, by gradient steps: Zheng, Pawar and Goodman 2018). Then Fruchterman and Reingold's forces (1991), the
// repulsion of far nodes by Barnes and Hut's tree (1986). Of a small graph the forces alone are tried, too, and what is
// easier to read is kept. No chance: the same graph always lies the same way.

const TREE_FROM = 200; // nodes; below, each pair is looked at, and the graph is unfolded
const UNFOLDING_STEPS = 40;
const MAX_COUNTED_LINKS = 600; // when two layouts are compared
const OPENING = 0.9; // a tree's square is taken as one point if its side is below this times its distance
const MAX_DEPTH = 30; // points of one place share a leaf there

export class GraphLayout {
  // `links`: [[row, row]], each pair once, no loops.
  constructor(nodeCount, links) {
    this.nodeCount = nodeCount;
    this.links = links;
    this.x = new Float64Array(nodeCount);
    this.y = new Float64Array(nodeCount);
    this.isSmall = nodeCount < TREE_FROM;
    const forces = { unfoldingSteps: 0, steps: nodeCount > 1000 ? 180 : 400, heat: 0.12 * Math.sqrt(nodeCount) };
    const unfolded = { unfoldingSteps: UNFOLDING_STEPS, steps: UNFOLDING_STEPS + 100, heat: 0.15 };
    this.tries = this.isSmall ? [unfolded, forces] : [forces];
    this.tried = 0;
    this.step = 0;
    this.best = null; // of the tries: {cost, x, y}
    this.#placeFirst();
  }

  get done() {
    return this.tried === this.tries.length;
  }

  // Of 0 to 1.
  get progress() {
    return (this.tried + this.step / (this.tries[this.tried]?.steps ?? 1)) / this.tries.length;
  }

  // Works for some milliseconds, at least one step. Returns whether it is done.
  run(milliseconds) {
    const end = performance.now() + milliseconds;
    do {
      if (this.done) break;
      const plan = this.tries[this.tried];
      if (this.step < plan.unfoldingSteps) this.#unfoldOnce();
      else this.#moveOnce(plan);
      this.step += 1;
      if (this.step === plan.steps) this.#endTry();
    } while (performance.now() < end);
    return this.done;
  }

  // Of two tries the one is kept that is easier to read.
  #endTry() {
    this.tried += 1;
    this.step = 0;
    if (this.tries.length === 1) return;
    const cost = this.#cost();
    if (!this.best || cost < this.best.cost) this.best = { cost, x: this.x.slice(), y: this.y.slice() };
    if (this.done) [this.x, this.y] = [this.best.x, this.best.y];
    else this.#placeFirst();
  }

  // Links that cross, and, as they mislead more, three times those that run past a node which is not theirs.
  #cost() {
    const { x, y, links } = this;
    const side = (a, b, c) => (x[b] - x[a]) * (y[c] - y[a]) - (y[b] - y[a]) * (x[c] - x[a]);
    const length = links.reduce((sum, [a, b]) => sum + Math.hypot(x[a] - x[b], y[a] - y[b]), 0) / (links.length || 1);
    let cost = 0;
    links.slice(0, MAX_COUNTED_LINKS).forEach(([a, b], i) => {
      for (const [c, d] of links.slice(0, i)) {
        if (a !== c && a !== d && b !== c && b !== d && side(a, b, c) * side(a, b, d) < 0 && side(c, d, a) * side(c, d, b) < 0) cost += 1;
      }
      const square = (x[b] - x[a]) ** 2 + (y[b] - y[a]) ** 2 || 1e-9;
      for (let node = 0; node < this.nodeCount; ++node) {
        if (node === a || node === b) continue;
        const along = ((x[node] - x[a]) * (x[b] - x[a]) + (y[node] - y[a]) * (y[b] - y[a])) / square;
        if (along > 0 && along < 1 && Math.abs(side(a, b, node)) / Math.sqrt(square) < 0.12 * length) cost += 3;
      }
    });
    return cost;
  }

  // Turned so that the graph's long side lies along the box's, and scaled into it with a margin. Nodes of a small graph
  // are at least `apart` from each other.
  fit(width, height, margin, apart) {
    const n = this.nodeCount;
    const points = Array.from({ length: n }, (_, i) => [this.x[i], this.y[i]]);
    if (!n) return points;
    const mean = [0, 1].map((axis) => points.reduce((sum, point) => sum + point[axis], 0) / n);
    let [xx, xy, yy] = [0, 0, 0];
    for (const point of points) {
      const [dx, dy] = [point[0] - mean[0], point[1] - mean[1]];
      xx += dx * dx;
      xy += dx * dy;
      yy += dy * dy;
    }
    const turn = 0.5 * Math.atan2(2 * xy, xx - yy) + (height > width ? Math.PI / 2 : 0);
    const [cos, sin] = [Math.cos(turn), Math.sin(turn)];
    const turned = points.map(([x, y]) => [(x - mean[0]) * cos + (y - mean[1]) * sin, (y - mean[1]) * cos - (x - mean[0]) * sin]);
    const [low, high] = [Math.min, Math.max].map((of) =>
      [0, 1].map((axis) => turned.reduce((best, point) => of(best, point[axis]), turned[0][axis])),
    );
    const scales = [width, height].map((size, axis) => (size - 2 * margin) / Math.max(high[axis] - low[axis], 1e-9));
    const scale = Math.min(scales[0], scales[1]);
    // Each axis may stretch a little to use the box.
    const used = scales.map((own) => Math.min(own, 1.35 * scale));
    const placed = turned.map((point) =>
      [0, 1].map((axis) => [width, height][axis] / 2 + (point[axis] - (low[axis] + high[axis]) / 2) * used[axis]),
    );
    if (this.isSmall) pushApart(placed, apart, [width, height], margin);
    return placed;
  }

  // On a spiral, those of most links in the middle.
  #placeFirst() {
    const degree = new Int32Array(this.nodeCount);
    for (const [a, b] of this.links) {
      degree[a] += 1;
      degree[b] += 1;
    }
    const order = Array.from({ length: this.nodeCount }, (_, i) => i).sort((a, b) => degree[b] - degree[a] || a - b);
    order.forEach((node, place) => {
      const angle = place * Math.PI * (3 - Math.sqrt(5));
      const radius = Math.sqrt(place + 0.5);
      this.x[node] = radius * Math.cos(angle);
      this.y[node] = radius * Math.sin(angle);
    });
  }

  // The unit is the length that a link of two lone nodes has.
  #moveOnce(plan) {
    const n = this.nodeCount;
    const [fx, fy] = [new Float64Array(n), new Float64Array(n)];
    if (this.isSmall) this.#repelPairs(fx, fy);
    else this.#repelByTree(fx, fy);
    for (const [a, b] of this.links) {
      const [dx, dy] = [this.x[b] - this.x[a], this.y[b] - this.y[a]];
      const pull = Math.hypot(dx, dy);
      fx[a] += dx * pull;
      fy[a] += dy * pull;
      fx[b] -= dx * pull;
      fy[b] -= dy * pull;
    }
    const heat = plan.heat * (1 - this.step / plan.steps) ** 1.5 + 0.002;
    const pullToMiddle = this.isSmall ? 0.15 : 0.5; // so that parts without links stay near
    for (let i = 0; i < n; ++i) {
      fx[i] -= pullToMiddle * this.x[i];
      fy[i] -= pullToMiddle * this.y[i];
      const length = Math.hypot(fx[i], fy[i]) || 1;
      const far = Math.min(length, heat) / length;
      this.x[i] += fx[i] * far;
      this.y[i] += fy[i] * far;
    }
  }

  // Moves each pair towards the distance that it has along the links.
  #unfoldOnce() {
    this.distances ??= this.#distancesOfAll();
    const n = this.nodeCount;
    const rate = 4 * Math.exp((-5 * this.step) / UNFOLDING_STEPS);
    for (let a = 0; a < n; ++a) {
      for (let b = a + 1; b < n; ++b) {
        const wanted = this.distances[a * n + b];
        const [dx, dy] = [this.x[a] - this.x[b], this.y[a] - this.y[b]];
        const length = Math.hypot(dx, dy) || 1e-6;
        const by = (Math.min(1, rate / (wanted * wanted)) * (length - wanted)) / (2 * length);
        this.x[a] -= dx * by;
        this.y[a] -= dy * by;
        this.x[b] += dx * by;
        this.y[b] += dy * by;
      }
    }
  }

  // Links between each two nodes, along the shortest way; parts without a way are a little further than the longest.
  #distancesOfAll() {
    const n = this.nodeCount;
    const near = Array.from({ length: n }, () => []);
    for (const [a, b] of this.links) {
      near[a].push(b);
      near[b].push(a);
    }
    const all = new Float64Array(n * n);
    let longest = 1;
    for (let start = 0; start < n; ++start) {
      const queue = [start];
      for (let at = 0; at < queue.length; ++at) {
        for (const next of near[queue[at]]) {
          const place = start * n + next;
          if (next === start || all[place]) continue;
          all[place] = all[start * n + queue[at]] + 1;
          longest = Math.max(longest, all[place]);
          queue.push(next);
        }
      }
    }
    return all.map((distance, place) => distance || (place % (n + 1) ? Math.min(longest, Math.sqrt(n)) + 1 : 0));
  }

  #repelPairs(fx, fy) {
    for (let a = 0; a < this.nodeCount; ++a) {
      for (let b = a + 1; b < this.nodeCount; ++b) {
        const [dx, dy] = [this.x[a] - this.x[b], this.y[a] - this.y[b]];
        const force = 1 / Math.max(dx * dx + dy * dy, 1e-4);
        fx[a] += dx * force;
        fy[a] += dy * force;
        fx[b] -= dx * force;
        fy[b] -= dy * force;
      }
    }
  }

  #repelByTree(fx, fy) {
    const tree = new QuadTree(this.x, this.y);
    for (let i = 0; i < this.nodeCount; ++i) tree.repel(i, fx, fy);
  }
}

function pushApart(points, apart, box, margin) {
  for (let round = 0; round < 50; ++round) {
    let moved = false;
    for (let a = 0; a < points.length; ++a) {
      for (let b = a + 1; b < points.length; ++b) {
        const [dx, dy] = [points[a][0] - points[b][0], points[a][1] - points[b][1]];
        const length = Math.hypot(dx, dy);
        if (length >= apart) continue;
        moved = true;
        const by = (apart - length) / 2 / (length || 1);
        const [mx, my] = length ? [dx * by, dy * by] : [apart / 2, 0];
        points[a] = [points[a][0] + mx, points[a][1] + my];
        points[b] = [points[b][0] - mx, points[b][1] - my];
      }
    }
    points.forEach((point, i) => (points[i] = point.map((at, axis) => Math.min(box[axis] - margin, Math.max(margin, at)))));
    if (!moved) return;
  }
}

// Squares that hold their points' number and center. Square s has its four parts at children[4 s ...]; 0: none, the root
// is nobody's part.
class QuadTree {
  constructor(x, y) {
    this.x = x;
    this.y = y;
    const room = 8 * x.length + 64;
    this.children = new Int32Array(4 * room);
    this.point = new Int32Array(room).fill(-1); // of a leaf
    this.count = new Float64Array(room);
    this.sumX = new Float64Array(room);
    this.sumY = new Float64Array(room);
    this.used = 1;
    let [low, high] = [Infinity, -Infinity];
    for (let i = 0; i < x.length; ++i) {
      low = Math.min(low, x[i], y[i]);
      high = Math.max(high, x[i], y[i]);
    }
    this.low = low;
    this.side = high - low + 1e-9;
    for (let i = 0; i < x.length; ++i) this.#add(i);
  }

  #add(i) {
    let [square, left, top, side] = [0, this.low, this.low, this.side];
    for (let depth = 0; ; ++depth) {
      const held = this.point[square];
      const isNew = this.count[square] === 0;
      this.count[square] += 1;
      this.sumX[square] += this.x[i];
      this.sumY[square] += this.y[i];
      if (isNew) {
        this.point[square] = i;
        return;
      }
      if (depth >= MAX_DEPTH || this.used + 2 > this.count.length) return;
      side /= 2;
      if (held >= 0) {
        // A leaf becomes a square of parts, and its point goes down.
        this.point[square] = -1;
        const part = this.#part(square, held, left + side, top + side);
        this.point[part] = held;
        this.count[part] = 1;
        this.sumX[part] = this.x[held];
        this.sumY[part] = this.y[held];
      }
      const [middleX, middleY] = [left + side, top + side];
      square = this.#part(square, i, middleX, middleY);
      if (this.x[i] >= middleX) left = middleX;
      if (this.y[i] >= middleY) top = middleY;
    }
  }

  #part(square, i, middleX, middleY) {
    const at = 4 * square + (this.x[i] >= middleX ? 1 : 0) + (this.y[i] >= middleY ? 2 : 0);
    if (!this.children[at]) {
      this.children[at] = this.used;
      this.used += 1;
    }
    return this.children[at];
  }

  repel(i, fx, fy) {
    const squares = [0];
    const sides = [this.side];
    while (squares.length) {
      const square = squares.pop();
      const side = sides.pop();
      if (this.point[square] === i && this.count[square] === 1) continue;
      const count = this.count[square];
      const dx = this.x[i] - this.sumX[square] / count;
      const dy = this.y[i] - this.sumY[square] / count;
      const distance = dx * dx + dy * dy;
      const isLeaf = this.point[square] >= 0;
      if (isLeaf || side * side < OPENING * OPENING * distance) {
        const force = count / Math.max(distance, 1e-4);
        fx[i] += dx * force;
        fy[i] += dy * force;
        continue;
      }
      for (let part = 4 * square; part < 4 * square + 4; ++part) {
        if (!this.children[part]) continue;
        squares.push(this.children[part]);
        sides.push(side / 2);
      }
    }
  }
}
