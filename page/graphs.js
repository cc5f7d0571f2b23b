// SPDX-License-Identifier: Apache-2.0
// The panel Graphs: a graph whose nodes, edges or whole a model classifies, drawn with the attention in its edges.
import { bars, percent } from "./bars.js";
import { call, isAbort, Latest } from "./calls.js";
import { button, element, errorNotice, field, formatNumber, more, notice, selectOf, setOptions, show, textInput } from "./elements.js";
import { attentionRows, classBars, describe, fileSays, labelsOf, linksOf, nameOf, sharesOf, summaryOf } from "./graph_answers.js";
import { GraphFileError, graphsOfJson, readGraphFile } from "./graph_file.js";
import { GraphLayout } from "./graph_layout.js";
import { GraphList } from "./graph_list.js";
import { GraphView, MAX_LINKS, MAX_NODES, RING_NODES } from "./graph_view.js";
import { pythonLiteral } from "./python_code.js";
import { RequestView } from "./request_view.js";

// Graphs of the page. Each fits the model of that name.
const EXAMPLES = [
  { file: "karate.json", title: "Karate club", model: "gat-karate" },
  { file: "nitropyrene.json", title: "A molecule", model: "gat-mutag" },
];
const METHODS = {
  MODEL_KIND_NODE_CLASSIFIER: { name: "ClassifyNodes", of: "nodes" },
  MODEL_KIND_EDGE_CLASSIFIER: { name: "ClassifyEdges", of: "edges" },
  MODEL_KIND_GRAPH_CLASSIFIER: { name: "ClassifyGraphs", of: "whole graphs" },
};
const MAX_GRAPHS = 2000; // of a file, which go in one request
const MAX_LISTED = 100; // neighbors of a node
const STRONGEST = 8; // pairs that are listed
const LAYOUT_SLICE_MS = 12; // then the page draws itself and hears the user

export default {
  id: "graphs",
  title: "Graphs",
  kinds: Object.keys(METHODS),
  fills: "gat-karate",
  mount: (root, app) => new GraphsPanel(root, app).hooks,
};

class GraphsPanel {
  #latest = new Latest();
  #latestPair = new Latest();
  #graphs = null; // FileGraphs of the example or file that is open
  #answer = null; // {kind, graphs, answers, labels}: what is shown, until the open ones are answered
  #graphNumber = 0; // of the answer's graphs
  #source = 0; // counts what was opened
  #layoutNumber = 0; // and what was drawn

  constructor(root, app) {
    this.app = app;
    this.view = new RequestView(app);
    this.drawing = new GraphView({ label: "The graph", onSelect: (row) => this.#selectNode(row), onPoint: (row) => this.#point(row) });
    this.hooks = { show: () => this.#drawAgain() };
    this.#build(root);
    app.watchModels(() => this.#offerModels());
  }

  // ---------------------------------------------------------------------------------------------- elements

  #build(root) {
    this.modelSelect = selectOf([], { onChange: () => this.#modelChosen() });
    this.fileInput = element("input", {
      type: "file",
      hidden: true,
      accept: ".safetensors,.json",
      on: { change: () => this.#takeFile(this.fileInput.files[0]) },
    });
    this.examples = EXAMPLES.map((example) => button(example.title, { onClick: () => this.#openExample(example) }));
    this.layerSelect = selectOf([], { onChange: () => this.#showAttention() });
    this.headSelect = selectOf([], { onChange: () => this.#showAttention() });
    this.graphSelect = selectOf([], { onChange: () => this.#showGraph(Number(this.graphSelect.value)) });
    this.graphField = field("Graph of the file", this.graphSelect, { hidden: true });
    this.attentionFields = element(
      "div",
      { class: "row", hidden: true },
      field("Layer", this.layerSelect),
      field("Attention of", this.headSelect),
      this.graphField,
    );
    this.about = element("p", { class: "hint" });
    this.status = element("div", { class: "graph-status" });
    this.legend = element("ul", { class: "legend" });
    this.details = element("div", { class: "card graph-details" });
    this.pair = this.#pairForm();
    this.list = new GraphList();
    this.canvas = element("div", { class: "card graph-card", hidden: true }, this.attentionFields, this.legend, this.drawing.element);
    const dropHere = element(
      "div",
      { class: "drop" },
      element("p", { text: "Your own graph: drop a file here, or" }),
      button("Open a file …", { onClick: () => this.fileInput.click() }),
      this.fileInput,
      element("p", { class: "hint", text: "Heed's graph file (.safetensors), or JSON of a heed.v1.Graph or of a request." }),
    );
    this.#takeDrops(root, dropHere);
    root.append(
      element(
        "div",
        { class: "card" },
        element("p", {
          class: "lead",
          text: "A graph attention network classifies nodes by what it gathers from their neighbors, and weighs each neighbor. A line is thick where it meets the node that attends.",
        }),
        element(
          "div",
          { class: "row" },
          field("Model", this.modelSelect, { class: "model-field" }),
          element(
            "div",
            { class: "field" },
            element("span", { class: "label", text: "Examples" }),
            element("div", { class: "actions" }, this.examples),
          ),
        ),
        dropHere,
      ),
      this.status,
      element("div", { class: "graph-columns" }, this.canvas, element("div", { class: "stack" }, this.details, this.pair)),
      this.list.element,
      this.view.element,
    );
    this.details.hidden = true;
  }

  #pairForm() {
    this.pairFrom = textInput({ inputmode: "numeric" });
    this.pairTo = textInput({ inputmode: "numeric" });
    this.pairAnswer = element("div");
    const form = element(
      "form",
      { class: "card", hidden: true, on: { submit: (event) => (event.preventDefault(), this.#askPair()) } },
      element("h3", { text: "Ask about any two nodes" }),
      element(
        "div",
        { class: "row" },
        field("From", this.pairFrom),
        field("To", this.pairTo),
        element("button", { class: "button", type: "submit" }, "Ask"),
      ),
      this.pairAnswer,
    );
    return form;
  }

  #takeDrops(root, dropHere) {
    let depth = 0;
    const mark = (by) => {
      depth = by === 0 ? 0 : depth + by;
      dropHere.classList.toggle("over", depth > 0);
    };
    const hasFile = (event) => event.dataTransfer?.types.includes("Files");
    root.addEventListener("dragenter", (event) => hasFile(event) && (event.preventDefault(), mark(1)));
    root.addEventListener("dragleave", (event) => hasFile(event) && mark(-1));
    root.addEventListener("dragover", (event) => hasFile(event) && event.preventDefault());
    root.addEventListener("drop", (event) => {
      if (!hasFile(event)) return;
      event.preventDefault();
      mark(0);
      this.#takeFile(event.dataTransfer.files[0]);
    });
  }

  // ---------------------------------------------------------------------------------------------- what to ask

  get #model() {
    return this.app.ready(...Object.keys(METHODS)).find((model) => model.name === this.modelSelect.value);
  }

  #offerModels() {
    const models = this.app.ready(...Object.keys(METHODS));
    const before = this.modelSelect.value;
    const names = [...new Set(models.map((model) => model.name))];
    const textOf = (name) => `${name} (${METHODS[models.find((model) => model.name === name).kind].of})`;
    setOptions(
      this.modelSelect,
      names.map((name) => ({ value: name, text: textOf(name) })),
    );
    this.examples.forEach((made, i) => (made.hidden = !names.includes(EXAMPLES[i].model)));
    if (!names.length || names.includes(before)) return;
    this.modelSelect.value = EXAMPLES.find(({ model }) => names.includes(model))?.model ?? names[0];
    this.#modelChosen();
  }

  // Asks it about the file that is open; else shows its example.
  #modelChosen() {
    if (this.#graphs && !this.#graphs.example) return void this.#ask();
    const example = EXAMPLES.find(({ model }) => model === this.modelSelect.value);
    if (example) return void this.#openExample(example);
    this.#clear();
    const text = `${this.modelSelect.value} has no example here: open a graph file.`;
    show(this.status, notice("info", element("p", { text })));
  }

  async #openExample(example) {
    this.modelSelect.value = example.model;
    const source = ++this.#source;
    try {
      const response = await fetch(new URL(`page/${example.file}`, document.baseURI));
      const text = await response.text();
      if (source !== this.#source) return;
      const graphs = graphsOfJson(example.file, text);
      this.#take(Object.assign(graphs, { name: example.title, example }), JSON.parse(text).about);
    } catch (error) {
      show(this.status, errorNotice(error));
    }
  }

  async #takeFile(file) {
    this.fileInput.value = "";
    if (!file) return;
    const source = ++this.#source;
    show(this.status, notice("wait", element("p", { text: `Reading ${file.name} …` })));
    try {
      const graphs = await readGraphFile(file);
      if (source !== this.#source) return; // another was opened meanwhile
      if (graphs.length > MAX_GRAPHS)
        throw new GraphFileError(`${file.name} has ${graphs.length} graphs. This page sends at most ${MAX_GRAPHS} at a time.`);
      this.#take(Object.assign(graphs, { name: file.name }), "");
    } catch (error) {
      if (source !== this.#source) return;
      show(
        this.status,
        error instanceof GraphFileError ? notice("error", element("p", { text: error.message })) : errorNotice(error),
        this.#answer && this.summary,
      );
      this.status.scrollIntoView({ block: "nearest" });
    }
  }

  #take(graphs, about) {
    this.#graphs = graphs;
    this.ignoresEdgeFeatures = false;
    this.about.textContent = about ?? "";
    this.examples.forEach((made, i) => made.setAttribute("aria-pressed", String(graphs.example === EXAMPLES[i])));
    this.#ask();
  }

  #clear() {
    this.#source += 1;
    this.#latest.cancel();
    this.#graphs = null;
    this.#forgetAnswer();
    this.examples.forEach((made) => made.setAttribute("aria-pressed", "false"));
  }

  // Nor is it drawn, if it is being placed.
  #forgetAnswer() {
    this.#latestPair.cancel();
    this.#layoutNumber += 1;
    this.#answer = null;
    this.drawn = null;
    this.canvas.hidden = this.details.hidden = this.pair.hidden = this.list.element.hidden = true;
  }

  async #ask() {
    const model = this.#model;
    if (!model) return;
    const graphs = this.#graphs;
    const method = METHODS[model.kind];
    const options = { topK: 0, returnAttention: true, ...this.#edgeOptions(graphs) };
    const message = { model: model.name, queries: graphs.map((graph) => ({ graph: graph.message })), options };
    show(this.status, notice("wait", element("p", { text: `${model.name} reads ${describe(graphs)} …` })));
    try {
      const answer = await call(`GraphService/${method.name}`, message, {
        signal: this.#latest.signal(),
        view: this.view,
        python: pythonOf(method.name, message),
      });
      this.#takeAnswer(model, graphs, answer);
    } catch (error) {
      if (isAbort(error)) return;
      this.#forgetAnswer();
      this.#showError(error, graphs);
    }
  }

  #edgeOptions(graphs) {
    return this.ignoresEdgeFeatures && graphs.some((graph) => graph.hasEdgeFeatures) ? { ignoreEdgeFeatures: true } : {};
  }

  #showError(error, graphs) {
    const parts = [errorNotice(error)];
    if (graphs.some((graph) => graph.hasEdgeFeatures) && /edge_features|edge features/.test(error.message) && !this.ignoresEdgeFeatures) {
      parts.push(button("Answer without the edges' features", { onClick: () => ((this.ignoresEdgeFeatures = true), this.#ask()) }));
    }
    show(this.status, element("div", { class: "stack" }, parts));
  }

  // ---------------------------------------------------------------------------------------------- what came

  #takeAnswer(model, graphs, { answers }) {
    const kind = METHODS[model.kind].name;
    this.#latestPair.cancel();
    this.#answer = { kind, graphs, answers, model: model.name, labels: labelsOf(kind, answers) };
    const isMany = graphs.length > 1;
    setOptions(
      this.graphSelect,
      graphs.map((graph, i) => ({
        value: String(i),
        text: isMany && kind === "ClassifyGraphs" ? `${i}: ${answers[i].classification.label}` : String(i),
      })),
    );
    this.graphField.hidden = !isMany;
    this.summary = element("p", { class: "graph-summary" }, element("strong", { text: summaryOf(kind, graphs, answers) }), " ", this.about);
    show(this.status, this.summary);
    this.app.say(summaryOf(kind, graphs, answers));
    this.pair.hidden = kind !== "ClassifyEdges" || isMany;
    show(this.pairAnswer);
    this.pairFrom.value = this.pairTo.value = "";
    this.list.show(kind, this.#listRows());
    this.#showGraph(0);
  }

  #showGraph(number) {
    this.#graphNumber = number;
    this.graphSelect.value = String(number);
    const { attention } = this.#answer.answers[number];
    const layers = attention?.layers ?? [];
    setOptions(
      this.layerSelect,
      layers.map((_, i) => ({ value: String(i), text: i + 1 === layers.length ? `${i + 1} (last)` : String(i + 1) })),
    );
    this.layerSelect.value = String(layers.length - 1);
    this.attentionFields.hidden = !layers.length;
    this.#draw();
  }

  // Lays the graph out in slices, and draws it.
  async #draw() {
    const graph = this.#answer.graphs[this.#graphNumber];
    const number = ++this.#layoutNumber;
    const links = linksOf(graph);
    this.drawn = null;
    this.canvas.hidden = false;
    this.details.hidden = true;
    const isTooLarge = graph.nodeCount > MAX_NODES || links.length > MAX_LINKS;
    this.drawing.element.hidden = isTooLarge;
    this.attentionFields.hidden ||= isTooLarge;
    this.legend.hidden = isTooLarge;
    if (isTooLarge) {
      this.canvas.hidden = true;
      this.details.hidden = false;
      this.list.element.open = true;
      show(
        this.details,
        notice(
          "info",
          element("p", {
            text: `This graph has ${formatNumber(graph.nodeCount)} nodes and ${formatNumber(links.length)} links. The page draws at most ${formatNumber(MAX_NODES)} and ${formatNumber(MAX_LINKS)}; all answers are in the list below.`,
          }),
        ),
      );
      return;
    }
    this.drawing.element.classList.add("placing");
    const layout = new GraphLayout(graph.nodeCount, links);
    while (!layout.run(LAYOUT_SLICE_MS)) {
      this.drawing.caption.textContent = `Placing ${formatNumber(graph.nodeCount)} nodes: ${percent(layout.progress)}`;
      await new Promise((resolve) => setTimeout(resolve));
      if (number !== this.#layoutNumber) return;
    }
    this.drawn = { graph, links, layout };
    this.#place();
  }

  #place() {
    const { graph, links, layout } = this.drawn;
    const { kind, answers, labels } = this.#answer;
    const answer = answers[this.#graphNumber];
    const box = this.drawing.box;
    this.boxWidth = box.width;
    this.details.hidden = false;
    const classifications = kind === "ClassifyNodes" ? answer.nodes.map((node) => node.classification) : [];
    const nodes = graph.ids.map((id, row) => {
      const own = classifications[row];
      const name = graph.names?.[row];
      return {
        name: `Node ${id}${name ? `, ${name}` : ""}${own ? `: ${own.label}, ${percent(own.probability)}` : ""}`,
        text: name && name.length <= 2 ? name : id.length <= 3 ? id : "",
        shares: own ? sharesOf(own, labels.length) : [],
        odd: Boolean(own && graph.classes && graph.classes[row] >= 0 && graph.classes[row] !== (own.classIndex ?? 0)),
      };
    });
    this.drawing.element.classList.remove("placing");
    this.drawing.draw({ nodes, links, points: layout.fit(box.width, box.height, 30, this.drawing.apartOf(graph.nodeCount)), box });
    this.drawing.caption.textContent = "Point at a node, or choose one to see what it attends to. Arrow keys go from node to node.";
    this.#showLegend(kind, nodes.length <= RING_NODES && nodes.some((node) => node.odd));
    this.#showAttention();
  }

  // The panel's width may have changed while it was not seen.
  #drawAgain() {
    if (this.drawn && this.#answer && Math.abs(this.drawing.box.width - this.boxWidth) > 40) this.#place();
  }

  #showLegend(kind, hasOdd) {
    const { labels } = this.#answer;
    const marks =
      kind === "ClassifyNodes"
        ? labels.map((label, i) =>
            element(
              "li",
              {},
              element("span", { class: `swatch series-${(i % 6) + 1}${i >= 6 ? " series-hollow" : ""}`, "aria-hidden": "true" }),
              label,
            ),
          )
        : [];
    if (hasOdd)
      marks.push(element("li", {}, element("span", { class: "swatch swatch-odd", "aria-hidden": "true" }), "differs from the file"));
    show(this.legend, marks);
  }

  // {target row: Map(source row: weight)} of the chosen layer and head; and the heads' own weights.
  #showAttention() {
    const { attention } = this.#answer.answers[this.#graphNumber];
    const layer = attention?.layers?.[Number(this.layerSelect.value)];
    if (!layer || !this.drawn) {
      this.weights = null;
      if (this.drawn) this.drawing.weigh(() => 0.4);
      return;
    }
    const heads = layer.headCount ?? 1;
    const names = [{ value: "mean", text: heads > 1 ? `all ${heads} heads (mean)` : "its one head" }];
    if (heads > 1) for (let head = 0; head < heads; ++head) names.push({ value: String(head), text: `head ${head + 1}` });
    setOptions(this.headSelect, names);
    const head = this.headSelect.value;
    this.weights = attentionRows(this.drawn.graph, layer, head === "mean" ? -1 : Number(head));
    this.drawing.weigh((target, source) => this.weights[target].get(source) ?? 0);
    this.#selectNode(this.drawing.selected);
  }

  #point(row) {
    if (!this.drawn) return;
    if (row >= 0) this.drawing.caption.textContent = this.drawing.nodes[row].name;
    else if (this.drawing.selected >= 0) this.drawing.caption.textContent = this.drawing.nodes[this.drawing.selected].name;
  }

  #selectNode(row) {
    if (!this.drawn) return;
    if (row < 0) {
      const { kind, answers, labels } = this.#answer;
      if (kind === "ClassifyGraphs") {
        const { classification } = answers[this.#graphNumber];
        const { graph } = this.drawn;
        show(
          this.details,
          element("h3", { text: classification.label }),
          bars(classBars(classification, labels)),
          fileSays(graph.graphClass, labels),
          element("p", { class: "hint", text: "Choose a node to see what it attends to." }),
          this.#strongestList(),
        );
      } else {
        show(
          this.details,
          element("p", { class: "hint", text: "Choose a node: its classes, and what it attends to, come here." }),
          this.#strongestList(),
        );
      }
      return;
    }
    this.#showNode(row);
  }

  #showNode(row) {
    const { graph } = this.drawn;
    const { kind, answers, labels } = this.#answer;
    const name = graph.names?.[row];
    const parts = [element("h3", { text: `Node ${graph.ids[row]}${name ? ` · ${name}` : ""}` })];
    if (kind === "ClassifyNodes") {
      const own = answers[this.#graphNumber].nodes[row].classification;
      parts.push(bars(classBars(own, labels), { caption: "Probabilities" }), fileSays(graph.classes?.[row], labels));
    }
    if (this.weights) {
      parts.push(this.#neighborTable(row, this.weights[row], "Attends to", "it attends to no one"));
      const from = new Map();
      this.weights.forEach((own, target) => target !== row && own.has(row) && from.set(target, own.get(row)));
      if (from.size) parts.push(more(`Attended to by ${from.size}`, this.#neighborTable(row, from, "Attended to by", "")));
    }
    show(this.details, parts);
    if (this.pairFrom.value === "" || this.pairTo.value !== "") [this.pairFrom.value, this.pairTo.value] = [graph.ids[row], ""];
    else this.pairTo.value = graph.ids[row];
  }

  #neighborTable(row, weights, caption, none) {
    const { graph } = this.drawn;
    const all = [...weights].filter(([, weight]) => weight > 0).sort((one, two) => two[1] - one[1]);
    if (!all.length) return element("p", { class: "hint", text: none });
    const full = all[0][1];
    const rows = all.slice(0, MAX_LISTED).map(([other, weight]) => ({
      label: other === row ? `${nameOf(graph, other)} (itself)` : nameOf(graph, other),
      share: weight,
      color: 2,
      onClick: other === row ? undefined : () => this.#goTo(other),
    }));
    const rest = all.length > rows.length ? element("p", { class: "hint", text: `and ${all.length - rows.length} more` }) : null;
    return element(
      "div",
      { class: "neighbors" },
      element("h4", { text: `${caption}: layer ${Number(this.layerSelect.value) + 1}, ${this.headSelect.selectedOptions[0].text}` }),
      bars(rows, { full, caption }),
      rest,
    );
  }

  // Where most attention goes between two nodes.
  #strongestList() {
    if (!this.weights) return null;
    const { graph } = this.drawn;
    const all = this.weights.flatMap((own, target) =>
      [...own].filter(([source]) => source !== target).map(([source, weight]) => ({ target, source, weight })),
    );
    const best = all.sort((one, two) => two.weight - one.weight || one.target - two.target).slice(0, STRONGEST);
    if (!best.length) return null;
    const rows = best.map(({ target, source, weight }) => ({
      label: `${nameOf(graph, target)} to ${nameOf(graph, source)}`,
      share: weight,
      color: 2,
      onClick: () => this.#goTo(target),
    }));
    return element(
      "div",
      { class: "neighbors" },
      element("h3", { text: "Who attends most to whom" }),
      bars(rows, { full: best[0].weight, caption: "Who attends most to whom" }),
    );
  }

  #goTo(row) {
    this.drawing.select(row);
    this.#showNode(row);
    this.app.say(this.drawing.nodes[row].name);
  }

  async #askPair() {
    const [source, target] = [this.pairFrom.value.trim(), this.pairTo.value.trim()];
    const { graphs, model, labels } = this.#answer;
    const [graph] = graphs;
    for (const id of [source, target]) {
      if (!graph.ids.includes(id))
        return void show(
          this.pairAnswer,
          notice("error", element("p", { text: `There is no node ${id || "without an id"} in this graph.` })),
        );
    }
    const options = { topK: 0, ...this.#edgeOptions(graphs) };
    const message = { model, queries: [{ graph: graph.message, edges: [{ source, target }] }], options };
    try {
      const { answers } = await call("GraphService/ClassifyEdges", message, {
        signal: this.#latestPair.signal(),
        view: this.view,
        python: pythonOf("ClassifyEdges", message),
      });
      const { classification } = answers[0].edges[0];
      show(
        this.pairAnswer,
        element("p", {}, element("strong", { text: `${source} → ${target}: ${classification.label}` })),
        bars(classBars(classification, labels)),
      );
    } catch (error) {
      if (!isAbort(error)) show(this.pairAnswer, errorNotice(error));
    }
  }

  #listRows() {
    const { kind, graphs, answers, labels } = this.#answer;
    const labelOf = (index) => (index === undefined || index === null || index < 0 ? "" : (labels[index] ?? String(index)));
    if (kind === "ClassifyGraphs") {
      return answers.map(({ classification }, i) => ({
        name: `Graph ${i}`,
        classification,
        said: graphs[i].graphClass === null ? undefined : labelOf(graphs[i].graphClass),
        onClick: answers.length > 1 ? () => this.#showGraph(i) : undefined,
      }));
    }
    const several = graphs.length > 1;
    const rows = answers.flatMap((answer, i) =>
      (answer.nodes ?? answer.edges ?? []).map((one, row) => {
        const name =
          one.id?.source !== undefined || one.id?.target !== undefined
            ? `${one.id.source ?? 0} → ${one.id.target ?? 0}`
            : nameOf(graphs[i], row);
        return {
          name: several ? `${i}: ${name}` : name,
          classification: one.classification,
          said: graphs[i].classes ? labelOf(graphs[i].classes[row]) : undefined,
          onClick: several || kind !== "ClassifyNodes" ? undefined : () => this.drawn && this.#goTo(row),
        };
      }),
    );
    if (kind === "ClassifyEdges") rows.sort((one, two) => (two.classification.probability ?? 0) - (one.classification.probability ?? 0));
    return rows;
  }
}

// What asks the same from Python: with the message in the program if it is short, else in request.json.
function pythonOf(name, message) {
  const isShort = JSON.stringify(message).length <= 8192;
  const type = `graphs_pb2.${name}Request`;
  const lines = isShort
    ? [`graphs = [`, ...message.queries.map(({ graph }) => `    json_format.ParseDict(${pythonLiteral(graph)}, graphs_pb2.Graph()),`), "]"]
    : [`with open("request.json") as file:`, `    request = json_format.Parse(file.read(), ${type}())`];
  const edges = message.queries[0].edges
    ? `, edges=[graphs_pb2.GraphEdgeId(${Object.entries(message.queries[0].edges[0])
        .map(([end, id]) => `${end}=${id}`)
        .join(", ")})]`
    : "";
  const queries = isShort ? `[${type}.Query(graph=graph${edges}) for graph in graphs]` : "request.queries";
  const options = Object.entries({
    top_k: 0,
    return_attention: message.options.returnAttention,
    ignore_edge_features: message.options.ignoreEdgeFeatures,
  });
  const given = options.filter(([, value]) => value !== undefined).map(([key, value]) => `${key}=${pythonLiteral(value)}`);
  lines.push(`print(client.classify(${type}, ${queries}, ${pythonLiteral(message.model)}, ${given.join(", ")}))`);
  return { imports: ["from google.protobuf import json_format", "from heed.v1 import graphs_pb2"], lines, readsFile: !isShort };
}
