// SPDX-License-Identifier: Apache-2.0
// Models: every version that the server has, what becomes of it, and how much it has to do, about once a second.
import { checkField, element, errorNotice, formatBytes, formatNumber, formatSeconds, show, svgElement } from "./elements.js";
import { Latest, call, isAbort } from "./calls.js";
import { RequestView } from "./request_view.js";
import { pythonCall } from "./python_code.js";

const INTERVAL_MS = 1000;
const KEPT = 60; // samples of a line: a minute
const LINE = { width: 120, height: 28 };
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
// [title, class]; the narrow screen has those without "wide".
const COLUMNS = [
  ["Model", ""],
  ["Requests/s", "number"],
  ["Waiting", "number"],
  ["Running", "number wide"],
  ["Tasks/step", "number wide"],
  ["Queue time", "number wide"],
  ["Time", "number wide"],
  ["Answered", "number wide"],
];

const seconds = (duration) => Number.parseFloat(duration ?? "0");
const count = (number) => Number(number ?? 0);

// What happened between two statistics of one version. Means are of what ended meanwhile; null: nothing did.
function ratesOf(before, after, elapsed) {
  const more = (name) => count(after[name]) - count(before?.[name]);
  const longer = (name) => seconds(after[name]) - seconds(before?.[name]);
  const mean = (sum, number) => (number > 0 ? sum / number : null);
  return {
    requests: before ? (more("succeededRequests") + more("failedRequests")) / elapsed : 0,
    queue: mean(longer("queueDuration"), more("startedRequests")),
    total: mean(longer("totalDuration"), more("succeededRequests")),
    tasks: mean(more("stepTaskCount"), more("stepCount")),
  };
}

function formatCount(number) {
  return Number(number).toLocaleString("en", { notation: "compact", maximumSignificantDigits: 3 });
}

// What a version is; on a narrow screen only the first half.
function factsOf(model) {
  const join = (...facts) => facts.filter(Boolean).join(" · ");
  const languages = model.sourceLanguage ? `${model.sourceLanguage} → ${model.targetLanguage}` : "";
  const kind = join([model.architecture, KINDS[model.kind]].filter(Boolean).join(" "), languages);
  const computed = [PRECISIONS[model.precision], model.kernel].filter(Boolean).join(" on ");
  const size = join(model.weightCount && `${formatCount(model.weightCount)} weights`, model.residentBytes && formatBytes(Number(model.residentBytes)), computed, model.loadDuration && `loaded in ${formatSeconds(seconds(model.loadDuration))}`);
  return [kind, size ? element("span", { class: "wide", text: kind ? ` · ${size}` : size }) : null];
}

// One version's row, which changes in place.
class Row {
  #samples = [];
  #last = null; // {statistics, time}
  #state = element("span", { class: "pill" });
  #facts = element("p", { class: "hint" });
  #reason = element("p", { class: "hint reason" });
  #line = svgElement("polyline", { class: "line" });
  #rate = element("span", { class: "rate" });
  #cells = {};

  constructor(model) {
    const cell = (name, wide) => (this.#cells[name] = element("td", { class: wide ? "number wide" : "number", text: "–" }));
    const name = element("span", { class: "model-name" }, element("span", { class: "mono", text: model.name }), " ", element("span", { class: "hint", text: `version ${model.version ?? 1}` }), this.#state);
    const spark = svgElement("svg", { class: "spark", viewBox: `0 0 ${LINE.width} ${LINE.height}`, preserveAspectRatio: "none", width: LINE.width, height: LINE.height, "aria-hidden": "true" }, this.#line);
    this.element = element("tr", {}, element("th", { scope: "row" }, name, this.#facts, this.#reason), element("td", { class: "number" }, element("div", { class: "rate-cell" }, spark, this.#rate)), cell("waiting"), cell("running", true), cell("tasks", true), cell("queue", true), cell("total", true), cell("answered", true));
  }

  showModel(model) {
    const [state, color] = STATES[model.state] ?? [model.state, ""];
    this.#state.className = `pill ${color}`;
    this.#state.textContent = state;
    show(this.#facts, factsOf(model));
    this.#reason.textContent = model.reason ?? "";
    this.#reason.hidden = !model.reason;
  }

  // `statistics`: null where the version does not serve.
  showStatistics(statistics, time) {
    if (!statistics) {
      this.#last = null;
      for (const cell of Object.values(this.#cells)) cell.textContent = "–";
      this.#rate.textContent = "–";
      return;
    }
    const rates = ratesOf(this.#last?.statistics, statistics, this.#last ? (time - this.#last.time) / 1000 : 1);
    this.#last = { statistics, time };
    this.#samples = [...this.#samples, rates.requests].slice(-KEPT);
    this.#rate.textContent = formatNumber(rates.requests, rates.requests < 10 ? 1 : 0);
    this.#cells.waiting.textContent = formatNumber(count(statistics.queuedRequests), 0);
    this.#cells.waiting.title = `requests, of at most ${formatNumber(count(statistics.maxQueuedRequests), 0)}; ${formatNumber(count(statistics.queuedTasks), 0)} tasks`;
    this.#cells.running.textContent = formatNumber(count(statistics.runningTasks), 0);
    const failed = count(statistics.failedRequests);
    this.#cells.answered.textContent = formatNumber(count(statistics.succeededRequests), 0) + (failed ? ` (+ ${formatNumber(failed, 0)} failed)` : "");
    // Means stay until there are newer ones.
    if (rates.tasks !== null) this.#cells.tasks.textContent = formatNumber(rates.tasks, 1);
    if (rates.queue !== null) this.#cells.queue.textContent = formatSeconds(rates.queue);
    if (rates.total !== null) this.#cells.total.textContent = formatSeconds(rates.total);
    const most = Math.max(1, ...this.#samples);
    const points = this.#samples.map((sample, index) => `${((KEPT - this.#samples.length + index) * LINE.width) / (KEPT - 1)},${(LINE.height - 2 - (sample / most) * (LINE.height - 4)).toFixed(1)}`);
    this.#line.setAttribute("points", points.join(" "));
    this.rate = rates.requests;
    this.waiting = count(statistics.queuedRequests);
  }
}

class ModelsPanel {
  #app;
  #rows = new Map();
  #latest = new Latest();
  #timer = null;
  #isFirst = true;
  #needsToken = false;
  #isShown = false;
  #body = element("tbody");
  #summary = element("p", { class: "models-summary" });
  #problem = element("div", { class: "problem" });
  #live = checkField("Live", { checked: true, onChange: () => this.#look() });

  constructor(root, app) {
    this.#app = app;
    this.request = new RequestView(app);
    const heads = COLUMNS.map(([text, name]) => element("th", { scope: "col", class: name, text }));
    const table = element("table", { class: "table models" }, element("caption", { class: "sr-only", text: "Models of this server" }), element("thead", {}, element("tr", {}, heads)), this.#body);
    const card = element("div", { class: "card" }, element("div", { class: "behind-head" }, this.#summary, this.#live), element("div", { class: "scroll-x", tabIndex: 0, role: "region", "aria-label": "Table of models" }, table));
    show(root, this.#problem, card, this.request.element);
    app.watchModels((models) => this.#showModels(models));
  }

  show() {
    this.#isShown = true;
    this.#look();
  }

  hide() {
    this.#isShown = false;
    clearTimeout(this.#timer);
    this.#latest.cancel();
  }

  // Asks once, and again as long as somebody looks.
  async #look() {
    clearTimeout(this.#timer);
    if (!this.#isShown) return;
    try {
      const signal = this.#latest.signal();
      // Shown once: a text that is replaced every second cannot be copied.
      const view = this.#isFirst ? { view: this.request, python: pythonCall("model_statistics") } : {};
      this.#isFirst = false;
      const [{ statistics = [] }] = await Promise.all([call("ModelService/ListModelStatistics", {}, { signal, ...view }), this.#app.readModels(signal)]);
      this.#showStatistics(statistics, performance.now());
      show(this.#problem);
    } catch (error) {
      if (isAbort(error)) return;
      show(this.#problem, errorNotice(error));
      this.#needsToken = error.code === "unauthenticated";
      if (this.#needsToken) return; // asking again does not help
    }
    if (this.#isShown && this.#live.input.checked) this.#timer = setTimeout(() => this.#look(), INTERVAL_MS);
  }

  #showModels(models) {
    if (this.#needsToken && models.length) {
      this.#needsToken = false;
      this.#look();
    }
    const rows = new Map();
    for (const model of models) {
      const key = `${model.name}/${model.version ?? 1}`;
      const row = this.#rows.get(key) ?? new Row(model);
      row.showModel(model);
      rows.set(key, row);
    }
    const isSame = [...rows.keys()].join() === [...this.#rows.keys()].join();
    this.#rows = rows;
    if (!isSame) show(this.#body, [...rows.values()].map((row) => row.element));
    this.#summarize();
  }

  #showStatistics(statistics, time) {
    const byKey = new Map(statistics.map((one) => [`${one.model}/${one.modelVersion}`, one]));
    for (const [key, row] of this.#rows) row.showStatistics(byKey.get(key) ?? null, time);
    this.#summarize();
  }

  #summarize() {
    const models = this.#app.models;
    const ready = models.filter((model) => model.state === "MODEL_STATE_READY").length;
    const rows = [...this.#rows.values()];
    const sum = (name) => rows.reduce((total, row) => total + (row[name] ?? 0), 0);
    const rate = sum("rate");
    this.#summary.textContent = `${ready} of ${models.length} ready · ${formatNumber(rate, rate < 10 ? 1 : 0)} requests/s · ${formatNumber(sum("waiting"), 0)} waiting`;
  }
}

export default { id: "models", title: "Models", kinds: [], fills: "", mount: (root, app) => new ModelsPanel(root, app) };
