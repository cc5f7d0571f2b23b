// SPDX-License-Identifier: Apache-2.0
// Models: every version that the server has, and what becomes of it.
import { element, formatBytes, formatNumber, formatSeconds, show } from "./elements.js";

const KINDS = {
  MODEL_KIND_TRANSLATOR: "translator",
  MODEL_KIND_NODE_CLASSIFIER: "node classifier",
  MODEL_KIND_EDGE_CLASSIFIER: "edge classifier",
  MODEL_KIND_GRAPH_CLASSIFIER: "graph classifier",
  MODEL_KIND_QUESTION_ANSWERER: "question answerer",
  MODEL_KIND_SEQUENCE_MODEL: "sequence model",
  MODEL_KIND_LANGUAGE_MODEL: "language model",
};
const STATES = { MODEL_STATE_LOADING: ["loading", "warn"], MODEL_STATE_READY: ["ready", "good"], MODEL_STATE_UNAVAILABLE: ["unavailable", "bad"], MODEL_STATE_UNLOADED: ["unloaded", ""] };
const PRECISIONS = { PRECISION_F32: "f32", PRECISION_BF16: "bf16", PRECISION_INT8: "int8" };

function rowOf(model) {
  const [state, color] = STATES[model.state] ?? ["", ""];
  const computed = [PRECISIONS[model.precision], model.kernel].filter(Boolean).join(", ");
  const languages = model.sourceLanguage ? `${model.sourceLanguage} → ${model.targetLanguage}` : "";
  return element(
    "tr",
    {},
    element("th", { scope: "row" }, element("span", { class: "mono", text: model.name }), element("span", { class: "hint", text: ` version ${model.version ?? 1}` }), model.reason ? element("p", { class: "hint", text: model.reason }) : null),
    element("td", {}, element("span", { class: `pill ${color}`, text: state })),
    element("td", { text: [KINDS[model.kind], model.architecture, languages].filter(Boolean).join(" · ") }),
    element("td", { class: "number", text: model.weightCount ? formatNumber(model.weightCount, 0) : "" }),
    element("td", { class: "number", text: model.residentBytes ? formatBytes(Number(model.residentBytes)) : "" }),
    element("td", { text: computed }),
    element("td", { class: "number", text: model.loadDuration ? formatSeconds(Number.parseFloat(model.loadDuration)) : "" }),
  );
}

function mount(root, app) {
  const body = element("tbody");
  const heads = ["Model", "State", "Kind", "Weights", "Memory", "Computed in", "Loaded in"].map((text) => element("th", { scope: "col", text }));
  const table = element("table", { class: "table" }, element("caption", { class: "sr-only", text: "Models of this server" }), element("thead", {}, element("tr", {}, heads)), body);
  show(root, element("div", { class: "card scroll-x", tabIndex: 0, role: "region", "aria-label": "Models" }, table));
  app.watchModels((models) => show(body, models.map(rowOf)));
}

export default { id: "models", title: "Models", kinds: [], fills: "", mount };
