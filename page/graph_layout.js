// SPDX-License-Identifier: Apache-2.0
// Places the nodes of a graph in the plane: Fruchterman and Reingold's forces (1991), the repulsion of far nodes by
// Barnes and Hut's tree (1986). No chance: the same graph always lies the same way.

const TREE_FROM = 200; // nodes; below, each pair is looked at
const OPENING = 0.9; // a tree's square is taken as one point if its side is below this times its distance
const MAX_DEPTH = 30; // points of one place share a leaf there

export class GraphLayout {
  // `links`: [[row, row]], each pair once, no loops.
  constructor(nodeCount, links) {
    this.nodeCount = nodeCount;
    this.links = links;
    this.x = new Float64Array(nodeCount);
    this.y = new Float64Array(nodeCount);
    this.steps = nodeCount > 1000 ? 180 : 400;
    this.step = 0;
    this.#placeFirst();
  }

  get done() {
    return this.step >= this.steps;
  }

  // Works for some milliseconds, at least one step. Returns whether it is done.
  run(milliseconds) {
    const end = performance.now() + milliseconds;
    do {
      if (this.done) break;
      this.#moveOnce();
    } while (performance.now() < end);
    return this.done;
  }

  // Turned so that the graph's long side lies along x, and scaled into a box with some room left.
  fit(width, height, margin) {
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
    const [low, high] = [Math.min, Math.max].map((of) => [0, 1].map((axis) => turned.reduce((best, point) => of(best, point[axis]), turned[0][axis])));
    const scales = [width, height].map((size, axis) => (size - 2 * margin) / Math.max(high[axis] - low[axis], 1e-9));
    const scale = Math.min(scales[0], scales[1]);
    // Each axis may stretch a little to use the box.
    const used = scales.map((own) => Math.min(own, 1.35 * scale));
    return turned.map((point) => [0, 1].map((axis) => [width, height][axis] / 2 + (point[axis] - (low[axis] + high[axis]) / 2) * used[axis]));
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
  #moveOnce() {
    const n = this.nodeCount;
    const [fx, fy] = [new Float64Array(n), new Float64Array(n)];
    if (n < TREE_FROM) this.#repelPairs(fx, fy);
    else this.#repelByTree(fx, fy);
    for (const [a, b] of this.links) {
      const [dx, dy] = [this.x[b] - this.x[a], this.y[b] - this.y[a]];
      const pull = Math.hypot(dx, dy);
      fx[a] += dx * pull;
      fy[a] += dy * pull;
      fx[b] -= dx * pull;
      fy[b] -= dy * pull;
    }
    const heat = 0.12 * Math.sqrt(n) * (1 - this.step / this.steps) ** 1.5 + 0.002;
    for (let i = 0; i < n; ++i) {
      fx[i] -= 0.15 * this.x[i]; // towards the middle, so that parts without links stay near
      fy[i] -= 0.15 * this.y[i];
      const length = Math.hypot(fx[i], fy[i]) || 1;
      const far = Math.min(length, heat) / length;
      this.x[i] += fx[i] * far;
      this.y[i] += fy[i] * far;
    }
    this.step += 1;
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
