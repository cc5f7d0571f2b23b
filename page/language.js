// SPDX-License-Identifier: Apache-2.0
// The panel Language: what a language model makes of a text. Four things to do, each with the models that can do it.
import { bars, percent } from "./bars.js";
import { call, isAbort, Latest, stream, token } from "./calls.js";
import {
  button,
  checkField,
  element,
  errorNotice,
  field,
  formatNumber,
  more,
  notice,
  numberInput,
  selectOf,
  setOptions,
  show,
  textArea,
} from "./elements.js";
import { pythonCall } from "./python_code.js";
import { RequestView } from "./request_view.js";
import { bitsOf, plainToken, surpriseLegend, TokenText } from "./token_text.js";

const KIND = "MODEL_KIND_LANGUAGE_MODEL";
const GAP = "___";
const MAX_TEXT = 20_000; // characters

export default {
  id: "language",
  title: "Language",
  kinds: [KIND],
  fills: "txl-novels",
  mount: (root, app) => new LanguagePanel(root, app).hooks,
};

// What a model's weights are for, as the Open Inference Protocol names its outputs: {score, fill, classify}.
const usesOfModel = new Map();

function usesOf(model) {
  const key = `${model.name} ${model.version} ${model.fingerprint ?? ""}`;
  if (!usesOfModel.has(key))
    usesOfModel.set(
      key,
      readUses(model).catch(() => (usesOfModel.delete(key), { score: true, fill: model.architecture === "xlnet", classify: true })),
    );
  return usesOfModel.get(key);
}

async function readUses(model) {
  const headers = token() ? { authorization: `Bearer ${token()}` } : {};
  const response = await fetch(new URL(`v2/models/${encodeURIComponent(model.name)}/versions/${model.version}`, document.baseURI), {
    headers,
    credentials: "omit",
  });
  if (!response.ok) throw new Error(String(response.status));
  const names = ((await response.json()).outputs ?? []).map((output) => output.name);
  const canScore = names.includes("log_probability");
  return { score: canScore, fill: canScore && model.architecture === "xlnet", classify: names.includes("label") };
}

class LanguagePanel {
  constructor(root, app) {
    this.app = app;
    this.latest = new Latest();
    this.view = new RequestView(app);
    this.hooks = {};
    this.modes = [new SurpriseMode(this), new GapsMode(this), new WritingMode(this), new LabelMode(this)];
    const choices = this.modes.map((mode, i) => {
      const input = element("input", {
        type: "radio",
        name: "language-mode",
        value: mode.name,
        checked: i === 0,
        on: { change: () => this.#open(mode) },
      });
      return element("label", {}, input, element("span", { text: mode.title }));
    });
    this.place = element("div", { class: "stack" });
    root.append(
      element(
        "fieldset",
        { class: "choices language-modes" },
        element("legend", { class: "sr-only", text: "What to do with a text" }),
        choices,
      ),
      this.place,
      this.view.element,
    );
    this.#open(this.modes[0]);
    app.watchModels(() => this.#offerModels());
  }

  #open(mode) {
    this.latest.cancel();
    this.mode = mode;
    show(this.place, mode.element);
    if (mode.hasModel) mode.begin();
  }

  async #offerModels() {
    const models = this.app.ready(KIND);
    const uses = await Promise.all(models.map(usesOf));
    for (const mode of this.modes) mode.offer(models.filter((_, i) => uses[i][mode.use]).map((model) => model.name));
    this.mode.begin();
  }
}

// What the four have in common: a model, a text, a button and a place for the answer.
class Mode {
  constructor(panel, { name, title, use, fills, lead, act, example, label = "Text", rows = 4 }) {
    Object.assign(this, { panel, name, title, use });
    this.modelSelect = selectOf([], { onChange: () => this.run() });
    this.modelPlace = field("Model", this.modelSelect, { class: "language-model" });
    this.missing = notice(
      "info",
      element("p", { text: `No model of this server can do it. ${fills} could: put it into the server's --models.` }),
    );
    this.missing.hidden = true;
    this.input = textArea({ rows, value: example });
    this.input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      this.run();
    });
    this.actions = element("div", { class: "actions" }, button(act, { kind: "primary", onClick: () => this.run() }));
    this.form = element(
      "div",
      { class: "card" },
      element("p", { class: "lead", text: lead }),
      this.modelPlace,
      field(label, this.input, { hint: "Ctrl+Enter does it, too." }),
    );
    this.result = element("div", { class: "stack" });
    this.element = element("div", { class: "stack" }, this.missing, this.form, this.result);
  }

  get model() {
    return this.modelSelect.value;
  }

  get hasModel() {
    return this.modelSelect.options.length > 0;
  }

  offer(names) {
    setOptions(this.modelSelect, names.length ? [...new Set(names)] : []);
    this.missing.hidden = names.length > 0;
    this.form.hidden = names.length === 0;
  }

  // Shows at once what it does, with the example.
  begin() {
    if (this.begun || !this.hasModel) return;
    this.begun = true;
    this.run();
  }

  async run() {
    const { length } = this.input.value;
    if (!this.input.value.trim()) return void this.input.focus();
    if (length > MAX_TEXT)
      return show(
        this.result,
        notice(
          "error",
          element("p", { text: `The text has ${formatNumber(length)} characters. This page sends at most ${formatNumber(MAX_TEXT)}.` }),
        ),
      );
    try {
      await this.ask({ signal: this.panel.latest.signal(), view: this.panel.view });
    } catch (error) {
      if (!isAbort(error)) show(this.result, errorNotice(error));
    }
  }
}

class SurpriseMode extends Mode {
  constructor(panel) {
    super(panel, {
      name: "surprise",
      title: "Surprise",
      use: "score",
      fills: "txl-novels",
      lead: "The model reads the text and says how likely each word was. The less likely, the more bits of surprise, and the stronger its color.",
      act: "Read",
      example: "She opened the door and went out into the garden, where an elephant was drinking tea with the bishop.",
    });
    this.order = checkField("Each word given all the others, also those behind it", { onChange: () => this.run() });
    this.form.append(this.order, this.actions);
  }

  // An XLNet alone reads in any order.
  get readsInAnyOrder() {
    return this.panel.app.ready(KIND).some((model) => model.name === this.model && model.architecture === "xlnet");
  }

  async ask(options) {
    const text = this.input.value;
    this.order.hidden = !this.readsInAnyOrder;
    const order = this.readsInAnyOrder && this.order.input.checked ? "ORDER_ALL_CONTEXT" : undefined;
    const message = { model: this.model, items: [{ text }], options: { topK: 5, returnTokens: true, ...(order && { order }) } };
    const python = pythonCall("score", [[text], this.model], { return_tokens: true, top_k: 5, order: order && "all-context" });
    const { scores } = await call("LanguageModelingService/Score", message, { ...options, python });
    const score = scores[0];
    const tokens = score.tokenScores ?? [];
    const facts = [
      [formatNumber(score.tokens ?? 0, 0), "tokens"],
      [formatNumber(score.perplexity ?? 0, 1), "perplexity of a token"],
      [formatNumber(bitsOf((score.logProbability ?? 0) / Math.max(1, score.tokens ?? 0)), 1), "bits a token"],
      [formatNumber(score.bitsPerByte ?? 0, 2), "bits a byte"],
    ];
    const shown = new TokenText({ text, scores: tokens });
    show(
      this.result,
      element(
        "div",
        { class: "card" },
        surpriseLegend(),
        shown.element,
        element(
          "dl",
          { class: "figures" },
          facts.map(([number, what]) => element("div", {}, element("dt", { text: what }), element("dd", { text: number }))),
        ),
        score.unknownWords?.length
          ? element("p", { class: "hint", text: `Not in the vocabulary: ${score.unknownWords.join(", ")}` })
          : null,
      ),
    );
    this.panel.app.say(`${score.tokens ?? 0} tokens, ${formatNumber(score.perplexity ?? 0, 1)} perplexity`);
  }
}

class GapsMode extends Mode {
  constructor(panel) {
    super(panel, {
      name: "gaps",
      title: "Gaps",
      use: "fill",
      fills: "xlnet-novels",
      lead: `Write ${GAP} where words are missing. The model reads what stands on both sides.`,
      act: "Fill in",
      example: "The old man sat down in his ___ and began to ___ a letter.",
      rows: 3,
    });
    this.order = selectOf([
      { value: "", text: "all at once" },
      { value: "LEFT_TO_RIGHT", text: "from left to right" },
      { value: "MOST_CERTAIN_FIRST", text: "the surest first" },
    ]);
    this.pieces = numberInput({ min: 1, max: 16, step: 1, value: "1" });
    this.actions.append(button(`Insert ${GAP}`, { onClick: () => this.#insertGap() }));
    this.form.append(
      more(
        "Options",
        field("Gaps are filled", this.order),
        field("Pieces in a gap", this.pieces, { hint: "Parts of words, as the vocabulary has them." }),
      ),
      this.actions,
    );
  }

  #insertGap() {
    const { selectionStart, selectionEnd } = this.input;
    this.input.setRangeText(GAP, selectionStart, selectionEnd, "end");
    this.input.focus();
  }

  async ask(options) {
    const text = this.input.value;
    if (!text.includes(GAP))
      return show(this.result, notice("info", element("p", { text: `The text has no gap: write ${GAP} where words are missing.` })));
    const order = this.order.value;
    const pieces = Number(this.pieces.value) > 1 ? Number(this.pieces.value) : undefined;
    const message = {
      model: this.model,
      texts: [{ text, ...(pieces && { pieces }) }],
      marker: GAP,
      topK: 8,
      ...(order && { order: `ORDER_${order}` }),
    };
    const python = pythonCall("fill_in", [[text], this.model], {
      marker: GAP,
      top_k: 8,
      pieces,
      order: order ? order.toLowerCase().replaceAll("_", "-") : undefined,
    });
    const { texts } = await call("LanguageModelingService/FillIn", message, { ...options, python });
    this.#showFilled(text.split(GAP), texts[0].gaps ?? []);
  }

  // `parts`: of the text, between its gaps.
  #showFilled(parts, gaps) {
    const chosen = gaps.map(() => 0);
    const wordOf = (gap) => gaps[gap].top?.[chosen[gap]]?.text ?? GAP;
    const sentence = element("p", { class: "filled", "aria-live": "polite" });
    const lists = element("div", { class: "gap-lists" });
    const draw = () => {
      show(
        sentence,
        parts.map((part, i) => [part, i < gaps.length ? element("mark", { text: wordOf(i) }) : null]),
      );
      show(
        lists,
        gaps.map((gap, i) => {
          const top = gap.top ?? [];
          const rows = top.map(({ text, logProbability = 0 }, k) => ({
            label: text,
            share: Math.exp(logProbability),
            color: k === chosen[i] ? 3 : 1,
            onClick: () => put(i, k),
          }));
          return element(
            "section",
            { class: "gap-list", "aria-label": `Gap ${i + 1}` },
            element("h3", { text: `Gap ${i + 1}` }),
            bars(rows, { full: Math.max(...rows.map(({ share }) => share), 1e-9), caption: `Fillings of gap ${i + 1}` }),
          );
        }),
      );
    };
    const put = (gap, filling) => {
      chosen[gap] = filling;
      draw();
      lists.children[gap].querySelectorAll("button")[filling]?.focus();
    };
    draw();
    const take = button("Use these words in the text", {
      kind: "quiet",
      onClick: () => ((this.input.value = sentence.textContent), this.input.focus()),
    });
    show(
      this.result,
      element("div", { class: "card" }, sentence, element("p", { class: "hint", text: "Choose another word to put it in." }), lists, take),
    );
    this.panel.app.say(sentence.textContent);
  }
}

class WritingMode extends Mode {
  constructor(panel) {
    super(panel, {
      name: "writing",
      title: "Continue",
      use: "score",
      fills: "txl-novels",
      lead: "The model continues the text; its words come as it finds them. At the end they are shaded by how much they surprised the model itself.",
      act: "Continue",
      example: "It was a cold evening in November, and the old prince",
      rows: 3,
    });
    this.temperature = numberInput({ min: 0.05, max: 5, value: "0.8" });
    this.topK = numberInput({ min: 0, step: 1, value: "40" });
    this.seed = numberInput({ min: 0, step: 1, value: "1" });
    this.maxTokens = numberInput({ min: 1, max: 500, step: 1, value: "60" });
    this.greedy = checkField("Always the likeliest word (no chance)");
    this.actions.append(
      button("Try another seed", { onClick: () => ((this.seed.value = String(Number(this.seed.value) + 1)), this.run()) }),
    );
    this.stop = button("Stop", { hidden: true, onClick: () => this.panel.latest.cancel() });
    this.actions.append(this.stop);
    this.form.append(
      more(
        "Options",
        field("Temperature", this.temperature, { hint: "Low: safe. High: wild." }),
        field("Top k", this.topK, { hint: "0: among all." }),
        field("Seed", this.seed, { hint: "The same one writes the same." }),
        field("Tokens at most", this.maxTokens),
        this.greedy,
      ),
      this.actions,
    );
  }

  begin() {} // it takes some work: only when asked

  async ask(options) {
    const prompt = this.input.value;
    const sampling = { temperature: Number(this.temperature.value), topK: Number(this.topK.value), seed: this.seed.value || "0" };
    const isGreedy = this.greedy.input.checked;
    const maxTokens = Number(this.maxTokens.value);
    const message = {
      model: this.model,
      prompt,
      options: { ...(isGreedy ? { greedy: true } : { sampling }), maxTokens, returnTokens: true, topKAlternatives: 5 },
    };
    const keywords = {
      max_tokens: maxTokens,
      ...(isGreedy
        ? { greedy: true }
        : { sampling: { temperature: sampling.temperature, top_k: sampling.topK, seed: Number(sampling.seed) } }),
    };
    const python = {
      lines: [
        `for delta in ${pythonCall("generate_stream", [prompt, this.model], keywords)}:`,
        `    print(delta, end="", flush=True)`,
        "print()",
      ],
    };
    const grown = element("span");
    const written = element("p", { class: "token-text writing" }, element("span", { class: "token-before", text: prompt }), grown);
    show(this.result, element("div", { class: "card" }, written));
    this.stop.hidden = false;
    this.written = written;
    let result = null;
    try {
      await stream(
        "LanguageModelingService/GenerateStream",
        message,
        (event) => {
          if (event.delta) grown.textContent += event.delta;
          if (event.result) ({ result } = event);
        },
        { ...options, python },
      );
    } finally {
      if (this.written === written) this.stop.hidden = true; // else another text is being written
      written.classList.remove("writing");
    }
    if (result) this.#showWhole(prompt, result);
  }

  #showWhole(prompt, { texts = [], unknownWords = [] }) {
    const [made] = texts;
    if (!made) return;
    const whole = prompt + (made.text ?? "");
    const shown = new TokenText({ text: made.text ?? "", scores: made.tokens ?? [], before: prompt });
    const ends = {
      TEXT_FINISH_REASON_EOS: "The model ended the text.",
      TEXT_FINISH_REASON_LENGTH: "It reached the limit of tokens.",
      TEXT_FINISH_REASON_LOOP: "It began to repeat itself, and was stopped.",
      TEXT_FINISH_REASON_STOP: "A stop text came.",
    };
    show(
      this.result,
      element(
        "div",
        { class: "card" },
        surpriseLegend(),
        shown.element,
        element("p", {
          class: "hint",
          text: `${ends[made.finishReason] ?? ""} ${formatNumber(made.tokenCount ?? 0, 0)} tokens.${unknownWords.length ? ` The prompt has words that the model does not know: ${unknownWords.join(", ")}.` : ""}`,
        }),
        button("Continue from here", { kind: "quiet", onClick: () => ((this.input.value = whole), this.run()) }),
      ),
    );
    this.panel.app.say(made.text ?? "");
  }
}

class LabelMode extends Mode {
  constructor(panel) {
    super(panel, {
      name: "label",
      title: "Classify",
      use: "classify",
      fills: "xlnet-subjectivity",
      lead: "The model labels the text. Below, the text is shaded by what the label's token attends to in the last layer, from the least to the most.",
      act: "Classify",
      example: "a warm and funny film with a performance that stays with you .",
      rows: 3,
    });
    this.form.append(this.actions);
  }

  async ask(options) {
    const text = this.input.value;
    const message = { model: this.model, items: [{ text }], topK: 0, returnAttention: true };
    const python = pythonCall("classify_texts", [[text], this.model], { top_k: 0, return_attention: true });
    const { items } = await call("LanguageModelingService/ClassifyTexts", message, { ...options, python });
    const [item] = items;
    const labels = (item.labels ?? []).map(({ label, score = 0 }, i) => ({ label, share: score, color: i ? 1 : 3 }));
    show(
      this.result,
      element(
        "div",
        { class: "card" },
        element("h3", { text: labels[0]?.label ?? "" }),
        bars(labels, { caption: "Labels" }),
        item.attention ? this.#attention(item.attention) : null,
        element("p", { class: "hint", text: `${item.tokenCount ?? 0} tokens${item.truncated ? "; the text was cut" : ""}` }),
      ),
    );
    this.panel.app.say(`${labels[0]?.label}, ${percent(labels[0]?.share ?? 0)}`);
  }

  // The one row: what the token that the label comes from attends to. Column 0 is what was read before.
  #attention({ columnCount = 0, weights = [], columnTokens = [] }) {
    const own = weights.slice(weights.length - columnCount).slice(1);
    const [min, max] = [Math.min(...own), Math.max(...own, 1e-9)];
    const marks = columnTokens.map((one, i) => {
      const mark = element("span", { class: "attended", title: percent(own[i] ?? 0) }, one.replace(/^▁/, ""));
      mark.style.setProperty("--weight", (((own[i] ?? 0) - min) / (max - min || 1)).toFixed(3));
      return [one.startsWith("▁") && i ? " " : "", mark];
    });
    const top = columnTokens
      .map((one, i) => ({ label: plainToken(one), share: own[i] ?? 0, color: 1 }))
      .sort((one, two) => two.share - one.share)
      .slice(0, 5);
    return [
      element("p", { class: "token-text" }, marks),
      element("h4", { text: "It attends most to" }),
      bars(top, { full: max, caption: "Attention" }),
    ];
  }
}
