// SPDX-License-Identifier: Apache-2.0
// A graph as SVG: nodes as rings of their classes' probabilities, links as wedges that are as thick as the attention which
// the node at their thick end pays to the one at the other. Zoomed with the buttons, two fingers, or Ctrl and the wheel;
// moved by dragging; `caption` is a line under it; one tab stop, from which arrow keys lead to the nearest node.
import { button, element, show, svgElement } from "./elements.js";

export const MAX_NODES = 3000; // that are drawn
export const MAX_LINKS = 10000;
export const RING_NODES = 120; // above, a node is a dot in its class's color
const WEDGE_LINKS = 2500; // above, a link is a line in the weight of its stronger side
const SERIES = 6; // colors
const MAX_ZOOM = 12;
const NARROW = 480; // pixels

export class GraphView {
  // `onSelect(row)`: a node was clicked or focused; -1: none is selected any more. `onPoint(row)`: the pointer is at one.
  constructor({ onSelect, onPoint, label }) {
    this.onSelect = onSelect;
    this.onPoint = onPoint ?? (() => {});
    this.selected = -1;
    this.zoom = { scale: 1, x: 0, y: 0 };
    this.layers = {
      links: svgElement("g", { class: "graph-links" }),
      chosen: svgElement("g", { class: "graph-chosen" }),
      nodes: svgElement("g", { class: "graph-nodes" }),
      labels: svgElement("g", { class: "graph-labels", "aria-hidden": "true" }),
    };
    this.scene = svgElement("g", {}, Object.values(this.layers));
    this.svg = svgElement("svg", { class: "graph-svg", role: "group", "aria-label": label }, this.scene);
    this.caption = element("p", { class: "hint graph-caption" });
    const zoomBy = (factor) => () => this.#zoomAt(this.width / 2, this.height / 2, factor);
    this.element = element(
      "div",
      { class: "graph-view" },
      this.svg,
      element(
        "div",
        { class: "graph-foot" },
        this.caption,
        element(
          "div",
          { class: "graph-zoom", role: "group", "aria-label": "Zoom" },
          button("+", { "aria-label": "Zoom in", onClick: zoomBy(1.5) }),
          button("−", { "aria-label": "Zoom out", onClick: zoomBy(1 / 1.5) }),
          button("Fit", { "aria-label": "Fit: show the whole graph", onClick: () => this.#moveTo(1, 0, 0) }),
        ),
      ),
    );
    this.#listen();
  }

  // Width and height in pixels that the graph is laid out for.
  get box() {
    const width = Math.max(280, this.element.clientWidth || 640);
    return { width, height: Math.round(width < NARROW ? width * 1.3 : Math.min(600, width * 0.78)) };
  }

  // Between two nodes of a small graph, at least.
  apartOf(nodeCount) {
    return 3.4 * radiusOf(nodeCount, this.box);
  }

  // `nodes`: {name (read out), text (within the node), shares ([probability of each class], may be empty), odd (marked)}.
  // `links`: [[row, row]] without loops, each pair once. `points`: [[x, y]] within `box`.
  draw({ nodes, links, points, box }) {
    Object.assign(this, { nodes, links, points, width: box.width, height: box.height, selected: -1 });
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
    this.svg.classList.toggle("small", box.width < NARROW);
    this.radius = radiusOf(nodes.length, box);
    this.bestOf = nodes.map(({ shares }) => (shares.length ? shares.indexOf(Math.max(...shares)) : -1));
    this.neighbors = nodes.map(() => []);
    for (const [a, b] of links) {
      this.neighbors[a].push(b);
      this.neighbors[b].push(a);
    }
    const first = this.neighbors.reduce((best, own, row) => (own.length > this.neighbors[best].length ? row : best), 0);
    this.marks = nodes.map((node, row) => this.#nodeMark(node, row, row === first));
    show(this.layers.nodes, this.marks);
    show(this.layers.links);
    show(this.layers.chosen);
    show(this.layers.labels);
    this.svg.classList.remove("has-chosen");
    this.weightOf = null;
    this.#moveTo(1, 0, 0);
  }

  // `weightOf(target, source)`: of 0 to 1, how much the one attends to the other.
  weigh(weightOf) {
    this.weightOf = weightOf;
    const max = this.links.reduce((most, [a, b]) => Math.max(most, weightOf(a, b), weightOf(b, a)), 1e-9);
    const halves = this.links.length <= WEDGE_LINKS;
    show(
      this.layers.links,
      this.links.map(([a, b]) =>
        halves
          ? [this.#wedge(a, b, weightOf(a, b) / max), this.#wedge(b, a, weightOf(b, a) / max)]
          : this.#line(a, b, Math.max(weightOf(a, b), weightOf(b, a)) / max),
      ),
    );
    this.#drawChosen();
  }

  // Marks a node, without onSelect; -1: none.
  select(row) {
    this.selected = row;
    const near = new Set(row < 0 ? [] : [row, ...this.neighbors[row]]);
    this.svg.classList.toggle("has-chosen", row >= 0);
    this.marks.forEach((mark, i) => {
      mark.classList.toggle("chosen", i === row);
      mark.classList.toggle("near", near.has(i));
      mark.setAttribute("aria-pressed", String(i === row));
    });
    if (row >= 0) this.#stopAt(row);
    this.#drawChosen();
  }

  focus(row) {
    this.marks[row]?.focus({ preventScroll: true });
  }

  // ---------------------------------------------------------------------------------------------- marks

  #nodeMark(node, row, isStop) {
    const [x, y] = this.points[row];
    const isDot = this.nodes.length > RING_NODES;
    const parts = isDot
      ? [svgElement("circle", { r: this.radius, class: "node-dot" })]
      : [svgElement("circle", { r: this.radius, class: "node-face" }), this.#ring(node.shares)];
    if (!isDot && node.text) parts.push(svgElement("text", { class: "node-text", text: node.text, dy: "0.35em" }));
    if (node.odd && !isDot) parts.push(svgElement("circle", { r: this.radius + 4.5, class: "node-odd" }));
    parts.push(svgElement("circle", { r: this.radius + 7, class: "node-focus" }));
    return svgElement(
      "g",
      {
        class: `node ${seriesClass(this.bestOf[row])}`,
        transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})`,
        tabindex: isStop ? "0" : "-1",
        role: "button",
        "aria-label": node.name,
        "aria-pressed": "false",
        "data-row": row,
      },
      parts,
    );
  }

  // Arcs, clockwise from the top, as long as the probabilities.
  #ring(shares) {
    if (!shares.length) return svgElement("circle", { r: this.radius, class: "node-arc", "stroke-width": 3 });
    const total = shares.reduce((sum, share) => sum + share, 0) || 1;
    let before = 0;
    return shares.map((share, i) => {
      const part = share / total;
      const from = before;
      before += part;
      if (part < 0.004) return null;
      return svgElement("circle", {
        r: this.radius,
        class: `node-arc ${seriesClass(i)}`,
        pathLength: 1,
        "stroke-dasharray": `${part.toFixed(4)} ${(1 - part).toFixed(4)}`,
        "stroke-dashoffset": (-from).toFixed(4),
        transform: "rotate(-90)",
        "stroke-width": 4.5,
      });
    });
  }

  // From the middle of the link to `target`, where it is thick.
  #wedge(target, source, share) {
    const [[tx, ty], [sx, sy]] = [this.points[target], this.points[source]];
    const length = Math.hypot(tx - sx, ty - sy) || 1;
    const [nx, ny] = [-(ty - sy) / length, (tx - sx) / length];
    const half = (0.5 + 6 * share) / 2;
    const [mx, my] = [(tx + sx) / 2, (ty + sy) / 2];
    const corner = (x, y, by) => `${(x + nx * by).toFixed(1)} ${(y + ny * by).toFixed(1)}`;
    const mark = svgElement("path", {
      class: `wedge ${seriesClass(this.bestOf[target])}`,
      d: `M${corner(tx, ty, half)}L${corner(tx, ty, -half)}L${corner(mx, my, -0.25)}L${corner(mx, my, 0.25)}Z`,
    });
    mark.style.opacity = (0.28 + 0.62 * Math.sqrt(share)).toFixed(2);
    return mark;
  }

  #line(a, b, share) {
    const [[x1, y1], [x2, y2]] = [this.points[a], this.points[b]];
    const mark = svgElement("line", {
      class: "link",
      x1: x1.toFixed(1),
      y1: y1.toFixed(1),
      x2: x2.toFixed(1),
      y2: y2.toFixed(1),
      "stroke-width": (0.3 + 1.5 * share).toFixed(2),
    });
    mark.style.opacity = (0.15 + 0.6 * share).toFixed(2);
    return mark;
  }

  // What the selected node attends to: lines as thick as its attention, of its strongest neighbor's, with the numbers.
  #drawChosen() {
    show(this.layers.chosen);
    show(this.layers.labels);
    const row = this.selected;
    if (row < 0 || !this.weightOf) return;
    const all = this.neighbors[row].map((other) => ({ other, weight: this.weightOf(row, other) })).filter(({ weight }) => weight > 0);
    const self = this.weightOf(row, row);
    const max = Math.max(self, ...all.map(({ weight }) => weight), 1e-9);
    const [x, y] = this.points[row];
    if (self > 0)
      this.layers.chosen.append(
        svgElement("circle", {
          class: "self-loop",
          cx: x.toFixed(1),
          cy: y.toFixed(1),
          r: this.radius + 4 + (4 * self) / max,
          "stroke-width": (0.5 + (8 * self) / max).toFixed(1),
        }),
      );
    all.sort((one, two) => two.weight - one.weight);
    all.forEach(({ other, weight }, place) => {
      const [ox, oy] = this.points[other];
      const mark = svgElement("line", {
        class: "chosen-link",
        x1: x.toFixed(1),
        y1: y.toFixed(1),
        x2: ox.toFixed(1),
        y2: oy.toFixed(1),
        "stroke-width": (0.8 + (9 * weight) / max).toFixed(1),
      });
      mark.style.opacity = (0.35 + (0.65 * weight) / max).toFixed(2);
      this.layers.chosen.append(mark);
      if (place >= 12) return;
      const length = Math.hypot(ox - x, oy - y) || 1;
      if (length < 3 * this.radius + 12) return; // no room for it
      const away = Math.min(this.radius + 16, 0.6 * length);
      this.layers.labels.append(
        svgElement("text", {
          class: "weight-label",
          x: (ox - ((ox - x) / length) * away).toFixed(1),
          y: (oy - ((oy - y) / length) * away).toFixed(1),
          dy: "0.35em",
          text: weight.toFixed(2),
        }),
      );
    });
  }

  // ---------------------------------------------------------------------------------------------- input

  #listen() {
    const pointers = new Map();
    let dragged = 0;
    const rowOf = (event) => Number(event.target.closest?.("[data-row]")?.dataset.row ?? -1);
    this.svg.addEventListener("pointerdown", (event) => {
      if (event.button > 0) return;
      pointers.set(event.pointerId, [event.clientX, event.clientY]);
      if (pointers.size === 1) dragged = 0;
    });
    this.svg.addEventListener("pointermove", (event) => {
      if (!pointers.has(event.pointerId)) return;
      const before = [...pointers.values()];
      const [x, y] = pointers.get(event.pointerId);
      pointers.set(event.pointerId, [event.clientX, event.clientY]);
      dragged += Math.abs(event.clientX - x) + Math.abs(event.clientY - y);
      if (dragged > 6 && !this.svg.hasPointerCapture(event.pointerId)) this.svg.setPointerCapture(event.pointerId);
      const unit = this.width / this.svg.getBoundingClientRect().width;
      if (pointers.size === 2) {
        const after = [...pointers.values()];
        const spread = ([one, two]) => Math.hypot(one[0] - two[0], one[1] - two[1]) || 1;
        const corner = this.svg.getBoundingClientRect();
        const middle = [0, 1].map((axis) => ((after[0][axis] + after[1][axis]) / 2 - [corner.left, corner.top][axis]) * unit);
        this.#zoomAt(middle[0], middle[1], spread(after) / spread(before));
      } else if (dragged > 6) {
        this.#moveTo(this.zoom.scale, this.zoom.x + (event.clientX - x) * unit, this.zoom.y + (event.clientY - y) * unit);
      }
    });
    for (const name of ["pointerup", "pointercancel"]) this.svg.addEventListener(name, (event) => pointers.delete(event.pointerId));
    this.svg.addEventListener("pointerleave", (event) => !this.svg.hasPointerCapture(event.pointerId) && pointers.delete(event.pointerId));
    this.svg.addEventListener("click", (event) => {
      if (dragged > 6) return;
      this.#choose(rowOf(event));
    });
    this.svg.addEventListener("pointerover", (event) => this.onPoint(rowOf(event)));
    this.svg.addEventListener("focusin", (event) => {
      const row = rowOf(event);
      if (row >= 0 && row !== this.selected && event.target.matches(":focus-visible")) this.#choose(row);
    });
    this.svg.addEventListener(
      "wheel",
      (event) => {
        if (!event.ctrlKey && !event.metaKey) return;
        event.preventDefault();
        const corner = this.svg.getBoundingClientRect();
        const unit = this.width / corner.width;
        this.#zoomAt((event.clientX - corner.left) * unit, (event.clientY - corner.top) * unit, Math.exp(-event.deltaY / 300));
      },
      { passive: false },
    );
    this.svg.addEventListener("keydown", (event) => this.#onKey(event, rowOf(event)));
  }

  #onKey(event, row) {
    const ways = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };
    if (row < 0 || event.ctrlKey || event.altKey || event.metaKey) return;
    if (ways[event.key]) this.#walk(row, ways[event.key]);
    else if (event.key === "Enter" || event.key === " ") this.#choose(row);
    else if (event.key === "Escape") this.#choose(-1);
    else if (event.key === "+" || event.key === "=") this.#zoomAt(...this.#placeOf(row), 1.5);
    else if (event.key === "-") this.#zoomAt(...this.#placeOf(row), 1 / 1.5);
    else if (event.key === "0") this.#moveTo(1, 0, 0);
    else return;
    event.preventDefault();
  }

  // To the nearest node that way; those aside are further.
  #walk(row, [wx, wy]) {
    const [x, y] = this.points[row];
    let [next, least] = [-1, Infinity];
    this.points.forEach(([ox, oy], other) => {
      const along = (ox - x) * wx + (oy - y) * wy;
      const aside = Math.abs((ox - x) * wy) + Math.abs((oy - y) * wx);
      if (other === row || along <= 0 || aside > 2 * along) return;
      const cost = along + 1.5 * aside;
      if (cost < least) [next, least] = [other, cost];
    });
    if (next < 0) return;
    this.#choose(next);
    this.focus(next);
    const [px, py] = this.#placeOf(next);
    if (px < 0 || py < 0 || px > this.width || py > this.height)
      this.#moveTo(this.zoom.scale, this.zoom.x + this.width / 2 - px, this.zoom.y + this.height / 2 - py);
  }

  #choose(row) {
    if (row < 0 && this.selected < 0) return;
    this.select(row);
    this.onSelect(row);
  }

  #stopAt(row) {
    for (const mark of this.marks) if (mark.getAttribute("tabindex") === "0") mark.setAttribute("tabindex", "-1");
    this.marks[row].setAttribute("tabindex", "0");
  }

  // On the drawing, of a node.
  #placeOf(row) {
    const [x, y] = this.points[row];
    return [this.zoom.x + this.zoom.scale * x, this.zoom.y + this.zoom.scale * y];
  }

  #zoomAt(x, y, factor) {
    const scale = Math.min(MAX_ZOOM, Math.max(1, this.zoom.scale * factor));
    const by = scale / this.zoom.scale;
    this.#moveTo(scale, x - (x - this.zoom.x) * by, y - (y - this.zoom.y) * by);
  }

  // Some of the graph always stays in sight.
  #moveTo(scale, x, y) {
    const within = (at, size) => Math.min(0.5 * size, Math.max(0.5 * size - scale * size, at));
    this.zoom = { scale, x: scale === 1 ? 0 : within(x, this.width), y: scale === 1 ? 0 : within(y, this.height) };
    this.scene.setAttribute("transform", `translate(${this.zoom.x.toFixed(1)} ${this.zoom.y.toFixed(1)}) scale(${scale.toFixed(3)})`);
    this.svg.classList.toggle("zoomed", scale > 1);
  }
}

function radiusOf(nodeCount, { width }) {
  const radius = nodeCount <= 40 ? 13 : nodeCount <= RING_NODES ? 10 : nodeCount <= 500 ? 6 : 4;
  return width < NARROW ? 0.72 * radius : radius;
}

// The color of a class; beyond the sixth they come again, hollow.
export function seriesClass(index) {
  if (index < 0) return "series-none";
  return `series-${(index % SERIES) + 1}${index >= SERIES ? " series-hollow" : ""}`;
}
