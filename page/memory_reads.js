// SPDX-License-Identifier: Apache-2.0
// What each read head of a memory looked at in each thinking step: a strip of the slots for each, darker where it read
// more. One tab stop; arrow keys go from slot to slot.
import { element, show, svgElement } from "./elements.js";

const MIN_CELL = 5; // pixels that a slot is wide
const MAX_CELL = 24;
const ROW = 14;
const GAP = 8; // between steps
const LABEL = 58;
const SEEN = 0.004; // below, a slot stays empty

export class MemoryReads {
  // `reads`: of a heed.v1.QuestionAnswer. `width` in pixels. `nameOf(slot)`: what is known of a slot, or "".
  // `onPoint(slot)`, -1: none.
  constructor({ reads, width, nameOf = () => "", onPoint = () => {} }) {
    this.reads = reads.map((read) => ({ ...read, step: read.step ?? 0, head: read.head ?? 0, weights: read.weights ?? [] }));
    this.slotCount = Math.max(0, ...this.reads.map((read) => read.weights.length));
    this.cell = Math.min(MAX_CELL, Math.max(MIN_CELL, (width - LABEL) / Math.max(1, this.slotCount)));
    this.nameOf = nameOf;
    this.onPoint = onPoint;
    this.caption = element("p", {
      class: "hint reads-caption",
      "aria-live": "polite",
      text: "Each row is a read head, each cell a slot of the memory. Point at one, or use the arrow keys.",
    });
    this.element = element("div", { class: "reads" }, element("div", { class: "scroll-x" }, this.#draw()), this.caption);
    this.at = [0, this.#strongest(0)];
  }

  // Frames a slot in all rows; -1: none.
  mark(slot) {
    this.column.setAttribute("visibility", slot < 0 ? "hidden" : "visible");
    this.column.setAttribute("x", LABEL + slot * this.cell - 1);
  }

  #strongest(row) {
    const weights = this.reads[row]?.weights ?? [];
    return weights.length ? weights.indexOf(Math.max(...weights)) : 0;
  }

  #draw() {
    const { cell } = this;
    const width = LABEL + this.slotCount * cell;
    let y = 16;
    let step = -1;
    const marks = [];
    this.tops = [];
    this.reads.forEach((read, row) => {
      if (read.step !== step) {
        if (step >= 0) y += GAP;
        step = read.step;
        marks.push(svgElement("text", { x: 0, y: y + 11, class: "reads-label", text: `Step ${step + 1}` }));
      }
      this.tops.push(y);
      marks.push(svgElement("rect", { x: LABEL, y, width: this.slotCount * cell, height: ROW - 2, class: "reads-strip" }));
      read.weights.forEach((weight, slot) => {
        if (weight < SEEN) return;
        const mark = svgElement("rect", { x: LABEL + slot * cell, y, width: cell - 1, height: ROW - 2, class: "reads-cell" });
        mark.style.opacity = Math.min(1, 0.03 + 0.97 * weight).toFixed(3);
        marks.push(mark);
      });
      y += ROW;
    });
    for (let slot = 0; slot < this.slotCount; slot += 10)
      marks.push(svgElement("text", { x: LABEL + slot * cell, y: 10, class: "reads-label", text: String(slot) }));
    this.column = svgElement("rect", { class: "reads-cursor", y: 13, width: cell + 1, height: y - 13, visibility: "hidden" });
    this.cursor = svgElement("rect", { class: "reads-cursor", width: cell + 1, height: ROW, visibility: "hidden" });
    const svg = svgElement(
      "svg",
      { class: "reads-svg", viewBox: `0 0 ${width} ${y}`, role: "img", tabindex: "0", "aria-label": this.#description() },
      marks,
      this.column,
      this.cursor,
    );
    svg.style.width = `${width}px`;
    const place = (event) => {
      const corner = svg.getBoundingClientRect();
      const unit = width / corner.width;
      const slot = Math.floor(((event.clientX - corner.left) * unit - LABEL) / cell);
      const row = this.tops.findIndex(
        (top) => (event.clientY - corner.top) * unit >= top && (event.clientY - corner.top) * unit < top + ROW,
      );
      return row >= 0 && slot >= 0 && slot < this.slotCount ? [row, slot] : null;
    };
    svg.addEventListener("pointermove", (event) => this.#point(place(event)));
    svg.addEventListener("pointerdown", (event) => this.#point(place(event)));
    svg.addEventListener("pointerleave", () => this.#point(null));
    svg.addEventListener("focus", () => svg.matches(":focus-visible") && this.#point(this.at));
    svg.addEventListener("blur", () => this.#point(null));
    svg.addEventListener("keydown", (event) => {
      const [row, slot] = this.at;
      const next = {
        ArrowRight: [row, slot + 1],
        ArrowLeft: [row, slot - 1],
        ArrowDown: [row + 1, slot],
        ArrowUp: [row - 1, slot],
        Home: [row, 0],
        End: [row, this.slotCount - 1],
      }[event.key];
      if (!next) return;
      event.preventDefault();
      this.at = [Math.min(this.reads.length - 1, Math.max(0, next[0])), Math.min(this.slotCount - 1, Math.max(0, next[1]))];
      this.#point(this.at);
    });
    return svg;
  }

  // For those who cannot see it: where each head looked most.
  #description() {
    const parts = this.reads.map((read, row) => {
      const slot = this.#strongest(row);
      return `step ${read.step + 1} head ${read.head + 1}: slot ${slot}${this.nameOf(slot) ? ` (${this.nameOf(slot)})` : ""} ${(read.weights[slot] ?? 0).toFixed(2)}`;
    });
    return `What the read heads looked at most. ${parts.join("; ")}.`;
  }

  #point(place) {
    if (!place) {
      this.cursor.setAttribute("visibility", "hidden");
      this.onPoint(-1);
      return;
    }
    const [row, slot] = place;
    this.at = place;
    const read = this.reads[row];
    this.cursor.setAttribute("visibility", "visible");
    this.cursor.setAttribute("x", LABEL + slot * this.cell - 1);
    this.cursor.setAttribute("y", this.tops[row] - 1);
    const name = this.nameOf(slot);
    show(
      this.caption,
      element("strong", { text: `Step ${read.step + 1}, head ${read.head + 1}, slot ${slot}: ${(read.weights[slot] ?? 0).toFixed(3)}` }),
      name ? ` · ${name}` : "",
      ` · strength ${(read.strength ?? 0).toFixed(1)}, by content ${(read.gate ?? 0).toFixed(2)}, sharpening ${(read.sharpening ?? 0).toFixed(1)}`,
    );
    this.onPoint(slot);
  }
}
