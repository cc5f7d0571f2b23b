// SPDX-License-Identifier: Apache-2.0
// All nodes, edges or graphs with their classes as a table, some more of it at a time.
import { percent } from "./bars.js";
import { button, element, formatNumber, more, show } from "./elements.js";

const LISTED_AT_ONCE = 100;
const NAMES = {
  ClassifyNodes: { one: "Node", all: "nodes" },
  ClassifyEdges: { one: "Edge", all: "edges, surest first" },
  ClassifyGraphs: { one: "Graph", all: "graphs" },
};

export class GraphList {
  #body = element("div");

  constructor() {
    this.element = more("", this.#body);
    this.element.classList.add("graph-listing");
    this.element.hidden = true;
  }

  // `rows`: {name, classification, said (the class that the file says, or undefined), onClick}. `kind`: the method's name.
  show(kind, rows) {
    this.element.hidden = rows.length < 2;
    this.element.open = false;
    this.element.querySelector("summary").textContent = `All ${formatNumber(rows.length)} ${NAMES[kind].all}, as a table`;
    const hasSaid = rows[0]?.said !== undefined;
    const heads = [NAMES[kind].one, "Class", "Probability", ...(hasSaid ? ["The file says"] : [])];
    const body = element("tbody");
    const again = button("", { kind: "quiet", onClick: () => addRows() });
    let shown = 0;
    const addRows = () => {
      body.append(...rows.slice(shown, shown + LISTED_AT_ONCE).map((row) => rowElement(row, hasSaid)));
      shown = Math.min(rows.length, shown + LISTED_AT_ONCE);
      again.hidden = shown === rows.length;
      again.textContent = `Show more (${formatNumber(rows.length - shown)} left)`;
    };
    addRows();
    const head = element(
      "thead",
      {},
      element(
        "tr",
        {},
        heads.map((text) => element("th", { scope: "col", text })),
      ),
    );
    show(this.#body, element("div", { class: "scroll-x" }, element("table", { class: "table" }, head, body)), again);
  }
}

function rowElement({ name, classification, said, onClick }, hasSaid) {
  return element(
    "tr",
    {},
    element("th", { scope: "row" }, onClick ? button(name, { kind: "quiet", onClick }) : name),
    element("td", { text: classification.label }),
    element("td", { class: "number", text: percent(classification.probability ?? 0) }),
    hasSaid ? element("td", { text: said }) : null,
  );
}
