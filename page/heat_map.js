// SPDX-License-Identifier: Apache-2.0
// A matrix of weights from 0 to 1 as colors: a row for what attends, a column for what it attends to.
import { element, formatNumber, uniqueId } from "./elements.js";

// Beyond this a browser has trouble, and a person, too.
const MAX_SIDE = 120;

export class HeatMap {
  #rows;
  #columns;
  #weights;
  #onPoint;
  #cells = [];
  #rowHeads = [];
  #columnHeads = [];
  #focus = [0, 0];
  #marked = [-1, -1];
  #captionId = uniqueId("heat");
  #said = element("p", { class: "heat-said", "aria-hidden": "true" });

  // `rows` and `columns`: their labels. `weights`: by rows; rows.length * columns.length of them. `caption`: what the map
  // shows, for all. `onPoint(row, column)`: the pointer or the keyboard is on a cell; a head of a row or a column has -1
  // for the other; (-1, -1) is nowhere.
  constructor({ rows, columns, weights, caption, onPoint = () => {} }) {
    this.#weights = (row, column) => weights[row * columns.length + column];
    this.#rows = rows.slice(0, MAX_SIDE);
    this.#columns = columns.slice(0, MAX_SIDE);
    this.#onPoint = onPoint;
    const cut = rows.length > MAX_SIDE || columns.length > MAX_SIDE;
    const table = this.#table();
    this.element = element(
      "div",
      { class: "heat" },
      element("p", { class: "hint", id: this.#captionId, text: caption }),
      this.#said,
      element("div", { class: "scroll-x" }, table),
      cut ? element("p", { class: "hint", text: `The first ${MAX_SIDE} of ${rows.length} rows and ${columns.length} columns are drawn.` }) : null,
    );
    this.#say();
  }

  // Marks a cell, or with -1 for the other a whole row or column, without a call of onPoint.
  // One that is not drawn is nowhere.
  point(row, column) {
    if (row >= this.#rows.length) row = -1;
    if (column >= this.#columns.length) column = -1;
    const [oldRow, oldColumn] = this.#marked;
    this.#rowHeads[oldRow]?.classList.remove("marked");
    this.#columnHeads[oldColumn]?.classList.remove("marked");
    this.#cells[oldRow]?.[oldColumn]?.classList.remove("marked");
    this.#marked = [row, column];
    this.#rowHeads[row]?.classList.add("marked");
    this.#columnHeads[column]?.classList.add("marked");
    this.#cells[row]?.[column]?.classList.add("marked");
    this.#say();
  }

  #table() {
    const heads = this.#columns.map((label, column) => element("th", { scope: "col", dataset: { row: -1, column } }, element("span", { text: label })));
    this.#columnHeads = heads;
    const body = this.#rows.map((label, row) => {
      const head = element("th", { scope: "row", text: label, dataset: { row, column: -1 } });
      this.#rowHeads.push(head);
      const cells = this.#columns.map((other, column) => {
        const weight = this.#weights(row, column);
        const cell = element("td", { role: "gridcell", tabIndex: -1, "aria-label": `${label}, ${other}: ${formatNumber(weight)}`, dataset: { row, column } });
        cell.style.setProperty("--weight", Math.sqrt(Math.max(0, Math.min(1, weight))).toFixed(3));
        return cell;
      });
      this.#cells.push(cells);
      return element("tr", {}, head, cells);
    });
    if (this.#cells[0]?.[0]) this.#cells[0][0].tabIndex = 0;
    const made = element(
      "table",
      {
        role: "grid",
        "aria-labelledby": this.#captionId,
        "aria-readonly": "true",
        on: {
          pointerover: (event) => this.#pointAt(event.target),
          pointerdown: (event) => this.#pointAt(event.target),
          pointerleave: (event) => event.pointerType === "mouse" && this.#tell(-1, -1),
          focusin: (event) => this.#pointAt(event.target),
          focusout: () => this.#tell(-1, -1),
          keydown: (event) => this.#onKey(event),
        },
      },
      element("thead", {}, element("tr", {}, element("td", { role: "presentation" }), heads)),
      element("tbody", {}, body),
    );
    made.style.setProperty("--columns", this.#columns.length);
    return made;
  }

  #pointAt(target) {
    const place = target.closest?.("[data-row]");
    if (place) this.#tell(Number(place.dataset.row), Number(place.dataset.column));
  }

  #tell(row, column) {
    if (row === this.#marked[0] && column === this.#marked[1]) return;
    this.point(row, column);
    this.#onPoint(row, column);
  }

  #say() {
    const [row, column] = this.#marked;
    if (row >= 0 && column >= 0) this.#said.textContent = `${this.#rows[row]} ← ${this.#columns[column]}: ${formatNumber(this.#weights(row, column), 3)}`;
    else if (row >= 0) this.#said.textContent = `${this.#rows[row]} ← ${this.#strongest(row)}`;
    else if (column >= 0) this.#said.textContent = `${this.#columns[column]}: see its column`;
    else this.#said.textContent = "Point at a cell, or go there with the arrow keys.";
  }

  #strongest(row) {
    const order = this.#columns.map((label, column) => [this.#weights(row, column), label]).sort((a, b) => b[0] - a[0]);
    return order
      .slice(0, 3)
      .map(([weight, label]) => `${label} ${formatNumber(weight)}`)
      .join(", ");
  }

  #onKey(event) {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    let [row, column] = this.#focus;
    if (step) [row, column] = [row + step[0], column + step[1]];
    else if (event.key === "Home") column = 0;
    else if (event.key === "End") column = this.#columns.length - 1;
    else return;
    event.preventDefault();
    const cell = this.#cells[row]?.[column];
    if (!cell) return;
    this.#cells[this.#focus[0]][this.#focus[1]].tabIndex = -1;
    this.#focus = [row, column];
    cell.tabIndex = 0;
    cell.focus();
  }
}
