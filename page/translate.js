// SPDX-License-Identifier: Apache-2.0
// Translate: a text sentence by sentence as they finish, the other hypotheses, and what each attended to.
import { button, checkField, element, errorNotice, field, formatNumber, more, numberInput, selectOf, setOptions, show, textArea, uniqueId } from "./elements.js";
import { Latest, call, isAbort, stream } from "./calls.js";
import { RequestView } from "./request_view.js";
import { pythonCall } from "./python_code.js";
import { attentionView } from "./attention_view.js";

const KIND = "MODEL_KIND_TRANSLATOR";
const EXAMPLES = {
  "A sentence": "Two dogs are playing in the snow.",
  "A longer one": "A young woman with a red umbrella is waiting for the bus in the rain.",
  "Three sentences": "A man in a blue shirt is standing on a ladder cleaning a window. Children are laughing. The woman reads a book in the park.",
};
const FINISHED = { TRANSLATION_FINISH_REASON_LENGTH: "cut off at the maximum length", TRANSLATION_FINISH_REASON_LOOP: "cut off where it began to repeat itself" };

function choices(legend, options, onChange) {
  const name = uniqueId("choice");
  const inputs = options.map(([value], index) => element("input", { type: "radio", name, value, checked: index === 0, on: { change: onChange } }));
  const made = element("fieldset", { class: "choices" }, element("legend", { class: "sr-only", text: legend }), options.map(([, text], index) => element("label", {}, inputs[index], element("span", { text }))));
  return { element: made, value: () => inputs.find((input) => input.checked).value };
}

function tokensOf(sentence) {
  return sentence.hypotheses?.[0]?.tokenCount ?? 0;
}

class TranslatePanel {
  #app;
  #latest = new Latest();
  #run = null;
  #languages = { languages: [], pairs: [] };
  #isRead = false;
  #sentences = []; // of the text that is shown: {text, sentence}
  #marks = []; // what is drawn of them: {gap: a Text, mark: a span}
  #chosen = { sentence: 0, hypothesis: 0 };

  constructor(root, app) {
    this.#app = app;
    this.text = textArea({ rows: 5, dir: "auto", spellcheck: "true", placeholder: "A text to translate, of any length. Ctrl+Enter sends it.", "aria-label": "Text to translate" });
    this.source = selectOf([{ value: "auto", text: "Detect language" }], { "aria-label": "Source language", onChange: () => this.#updateTargets() });
    this.target = selectOf([], { "aria-label": "Target language" });
    this.model = selectOf([], { onChange: () => this.#updateFields() });
    this.method = choices("Method", [["search", "Search"], ["sample", "Sample"]], () => this.#updateFields());
    this.beam = numberInput({ min: 1, max: 32, step: 1, value: 4 });
    this.best = numberInput({ min: 1, max: 32, step: 1, value: 4 });
    this.penalty = numberInput({ min: 0, max: 10, step: 0.1, placeholder: "the model's" });
    this.temperature = numberInput({ min: 0.01, max: 10, step: 0.1, value: 1 });
    this.topK = numberInput({ min: 0, step: 1, value: 0 });
    this.topP = numberInput({ min: 0.01, max: 1, step: 0.05, value: 1 });
    this.seed = numberInput({ min: 0, step: 1, value: 1 });
    this.format = selectOf([{ value: "", text: "Plain text" }, { value: "TEXT_FORMAT_HTML", text: "HTML" }], { onChange: () => this.#updateFields() });
    this.go = button("Translate", { kind: "primary", class: "go", onClick: () => this.#translate() });
    this.stop = button("Stop", { hidden: true, onClick: () => this.#latest.cancel() });
    this.output = element("div", {
      class: "output",
      dir: "auto",
      on: {
        click: (event) => this.#chooseAt(event.target),
        keydown: (event) => (event.key === "Enter" || event.key === " ") && this.#chooseAt(event.target) && event.preventDefault(),
      },
    });
    this.facts = element("p", { class: "hint", role: "status" });
    this.problem = element("div", { class: "problem" });
    this.behind = element("section", { class: "card", hidden: true, "aria-label": "Behind the translation" });
    this.pieces = checkField("Pieces of the tokenizer", { onChange: () => this.#drawBehind() });
    this.request = new RequestView(app);
    this.text.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        this.#translate();
      }
    });
    show(root, this.#form(), this.problem, this.behind, this.request.element);
    app.watchModels(() => this.#readLanguages());
    this.#updateFields();
  }

  #form() {
    this.searchFields = [field("Beam size", this.beam, { hint: "1: greedy, word by word" }), field("Alternatives", this.best, { hint: "at most the beam size" }), field("Length penalty", this.penalty)];
    this.sampleFields = [field("Temperature", this.temperature), field("Top k", this.topK, { hint: "0: all tokens" }), field("Top p", this.topP), field("Seed", this.seed)];
    const options = more("Options", field("Model", this.model), field("Format", this.format), element("div", { class: "field" }, element("span", { class: "label", text: "Method" }), this.method.element), this.searchFields, this.sampleFields);
    const examples = element(
      "div",
      { class: "examples" },
      element("span", { class: "hint", text: "Try" }),
      Object.entries(EXAMPLES).map(([name, text]) =>
        button(name, {
          kind: "quiet",
          title: text,
          onClick: () => {
            this.text.value = text;
            this.#translate();
          },
        }),
      ),
    );
    const arrow = element("span", { class: "to", "aria-hidden": "true", text: "→" });
    const actions = element("div", { class: "actions" }, this.go, this.stop, examples);
    return element(
      "div",
      { class: "card" },
      element("div", { class: "languages" }, this.source, arrow, this.target),
      element("div", { class: "grid2" }, element("div", { class: "side" }, this.text, actions), element("div", { class: "side" }, this.output, this.facts)),
      options,
    );
  }

  async #readLanguages() {
    const models = this.#app.ready(KIND);
    setOptions(this.model, [{ value: "", text: "As the languages say" }, ...models.map((model) => ({ value: `${model.name}:${model.version ?? 1}`, text: models.filter((one) => one.name === model.name).length > 1 ? `${model.name}, version ${model.version}` : model.name }))]);
    try {
      this.#languages = { languages: [], pairs: [], ...(await call("TranslationService/ListLanguages", {})) };
    } catch {
      return; // the frame says that the server is gone, and looks again
    }
    const sources = new Set(this.#languages.pairs.map((pair) => pair.sourceLanguage));
    setOptions(this.source, [...this.#namesOf(sources), { value: "auto", text: "Detect language" }]);
    if (!this.#isRead && sources.size) this.source.selectedIndex = 0;
    this.#isRead = true;
    // Models whose files name no languages can only be chosen by their own name.
    if (sources.size === 0 && !this.model.value && models.length) this.model.selectedIndex = 1;
    this.#updateTargets();
    this.#updateFields();
  }

  #namesOf(codes) {
    return this.#languages.languages.filter(({ language }) => codes.has(language)).map(({ language, name }) => ({ value: language, text: name }));
  }

  #updateTargets() {
    const source = this.source.value;
    const pairs = this.#languages.pairs.filter((pair) => source === "auto" || pair.sourceLanguage === source);
    setOptions(this.target, this.#namesOf(new Set(pairs.map((pair) => pair.targetLanguage))));
  }

  #updateFields() {
    const samples = this.method.value() === "sample";
    for (const one of this.searchFields) one.hidden = samples;
    for (const one of this.sampleFields) one.hidden = !samples;
    this.source.disabled = this.target.disabled = this.model.value !== "";
    this.source.title = this.target.title = this.model.value ? "The chosen model says which languages" : "";
  }

  // The message, and the same for client/python.
  #message() {
    const message = { texts: [this.text.value] };
    const keywords = {};
    if (this.model.value) {
      const [, name, version] = /^(.*):(\d+)$/.exec(this.model.value);
      message.model = name;
      const defaultVersion = this.#app.models.find((model) => model.name === name && model.isDefault)?.version;
      if (version !== defaultVersion) message.modelVersion = version;
    } else {
      if (this.source.value) message.sourceLanguage = this.source.value;
      if (this.target.value) message.targetLanguage = this.target.value;
    }
    const options = {};
    const python = {};
    const set = (name, pythonName, value) => {
      options[name] = value;
      python[pythonName] = value;
    };
    if (this.method.value() === "sample") {
      set("beamSize", "beam_size", 1);
      options.sampling = { temperature: Number(this.temperature.value), topK: Number(this.topK.value), topP: Number(this.topP.value), seed: this.seed.value || "0" };
      python.sampling = { temperature: options.sampling.temperature, top_k: options.sampling.topK, top_p: options.sampling.topP, seed: Number(options.sampling.seed) };
    } else {
      set("beamSize", "beam_size", Number(this.beam.value));
      if (Number(this.best.value) > 1) set("nBest", "n_best", Math.min(Number(this.best.value), Number(this.beam.value)));
      if (this.penalty.value !== "") set("lengthPenalty", "length_penalty", Number(this.penalty.value));
    }
    set("returnAttention", "return_attention", true);
    message.options = options;
    if (this.format.value) {
      message.format = this.format.value;
      keywords.format = "html";
    }
    return { message, keywords: { model: message.model, model_version: message.modelVersion && Number(message.modelVersion), source: message.sourceLanguage, target: message.targetLanguage, ...keywords, ...python } };
  }

  async #translate() {
    if (!this.text.value.trim()) {
      this.text.focus();
      return;
    }
    const run = { signal: this.#latest.signal(), tokens: 0, ...this.#message() };
    this.#run = run;
    this.#sentences = [];
    this.#marks = [];
    this.#chosen = { sentence: 0, hypothesis: 0 };
    show(this.problem);
    show(this.output);
    this.behind.hidden = true;
    this.facts.textContent = "";
    this.stop.hidden = false;
    this.output.classList.add("busy");
    this.output.lang = this.model.value ? "" : this.target.value;
    try {
      await this.#sendWithAttention(run);
      this.#app.say(`Translated: ${this.output.textContent}`);
    } catch (error) {
      if (!isAbort(error)) show(this.problem, errorNotice(error));
      else if (this.#run === run) this.facts.textContent = "Stopped.";
    }
    if (this.#run !== run) return;
    this.stop.hidden = true;
    this.output.classList.remove("busy");
  }

  // Some models have no attention: those translate without.
  async #sendWithAttention(run) {
    try {
      await this.#send(run);
    } catch (error) {
      if (error.field !== "options.return_attention") throw error;
      delete run.message.options.returnAttention;
      delete run.keywords.return_attention;
      await this.#send(run);
    }
  }

  async #send(run) {
    if (run.message.sourceLanguage === "auto") this.#detect(run);
    await (run.message.format ? this.#sendMarkup(run) : this.#sendStream(run));
    if (this.#run !== run) return;
    this.#drawBehind();
  }

  async #sendStream(run) {
    const { message, keywords, signal } = run;
    const python = {
      lines: [`for text, sentence, translation in ${pythonCall("stream", [message.texts], keywords)}:`, "    print(translation)"],
    };
    const take = (event) => {
      if (this.#run !== run) return;
      const index = event.sentenceIndex ?? 0;
      this.#growTo(event.sentenceCount);
      const place = this.#sentences[index];
      if (event.sentence) {
        place.sentence = event.sentence;
        place.text = event.sentence.hypotheses?.[0]?.text ?? "";
        run.tokens += tokensOf(event.sentence);
      } else place.text += event.delta ?? "";
      this.#drawSentence(index);
      this.#showFacts(run, event.model, event.modelVersion);
    };
    await stream("TranslationService/TranslateStream", message, take, { signal, view: this.request, python });
  }

  // Markup comes back whole, so it comes at once.
  async #sendMarkup(run) {
    const { message, keywords, signal } = run;
    const answer = await call("TranslationService/Translate", message, { signal, view: this.request, python: pythonCall("translate_fully", [message.texts], keywords) });
    if (this.#run !== run) return;
    const translation = answer.translations[0];
    this.#sentences = (translation.sentences ?? []).map((sentence) => ({ text: sentence.hypotheses?.[0]?.text ?? "", sentence }));
    run.tokens = this.#sentences.reduce((sum, { sentence }) => sum + tokensOf(sentence), 0);
    show(this.output, translation.text);
    this.#showFacts(run, answer.model, answer.modelVersion);
  }

  async #detect(run) {
    try {
      const { texts } = await call("TranslationService/DetectLanguage", { texts: run.message.texts }, { signal: run.signal });
      const guess = texts?.[0]?.guesses?.[0];
      const language = this.#languages.languages.find((one) => one.language === guess?.language);
      if (guess) run.detected = `from ${language?.name ?? guess.language}, ${formatNumber(100 * guess.confidence, 0)} % sure`;
    } catch {
      // The translation's own error says more.
    }
    if (this.#run === run && run.facts) this.#showFacts(run, ...run.facts);
  }

  #showFacts(run, model, version) {
    run.facts = [model, version];
    const { tokens } = run;
    const count = this.#sentences.length;
    const facts = [model ? `${model}, version ${version}` : "as it was", run.detected, `${count} ${count === 1 ? "sentence" : "sentences"}`, tokens ? `${tokens} tokens` : null];
    this.facts.textContent = facts.filter(Boolean).join(" · ");
  }

  #growTo(count) {
    const before = this.#sentences.length;
    for (let index = before; index < count; ++index) {
      const made = { gap: document.createTextNode(""), mark: element("span", { dataset: { index } }) };
      this.#sentences.push({ text: "", sentence: null });
      this.#marks.push(made);
      this.output.append(made.gap, made.mark);
    }
    for (let index = before < 2 ? 0 : before; index < count; ++index) this.#drawSentence(index); // one alone cannot be chosen
  }

  // A long text comes in many events: each changes its own sentence alone.
  #drawSentence(index) {
    const { text, sentence } = this.#sentences[index];
    const { gap, mark } = this.#marks[index];
    const canChoose = sentence && text && this.#sentences.length > 1;
    gap.data = sentence?.separator ?? (index > 0 ? " " : "");
    mark.textContent = text || "…";
    if (!text) mark.className = "pending";
    else if (!sentence) mark.className = "growing";
    else mark.className = canChoose ? "sentence" : "";
    if (!canChoose) return;
    mark.tabIndex = 0;
    mark.title = "Show what is behind this sentence";
    mark.setAttribute("role", "button");
    mark.setAttribute("aria-pressed", String(index === this.#chosen.sentence));
  }

  // Whether there is a sentence to choose.
  #chooseAt(target) {
    const mark = target.closest(".sentence");
    if (mark) this.#choose(Number(mark.dataset.index), 0);
    return mark !== null;
  }

  #choose(sentence, hypothesis) {
    const before = this.#chosen.sentence;
    this.#chosen = { sentence, hypothesis };
    for (const index of [before, sentence]) this.#marks[index] && this.#drawSentence(index); // markup has no marks
    this.#drawBehind();
  }

  // The chosen sentence's hypotheses, and what the chosen one attended to.
  #drawBehind() {
    const sentence = this.#sentences[this.#chosen.sentence]?.sentence;
    const hypothesis = sentence?.hypotheses?.[this.#chosen.hypothesis];
    this.behind.hidden = !hypothesis;
    if (!hypothesis) return;
    const count = this.#sentences.length;
    const title = count > 1 ? `Sentence ${this.#chosen.sentence + 1} of ${count}` : "Behind the translation";
    const steps = [-1, 1].map((step) => {
      const next = this.#chosen.sentence + step;
      return button(step < 0 ? "Previous" : "Next", { kind: "quiet", hidden: count < 2, disabled: !this.#sentences[next]?.sentence, onClick: () => this.#choose(next, 0) });
    });
    show(this.behind, element("div", { class: "behind-head" }, element("h3", { text: title }), element("div", { class: "actions" }, steps)), this.#alternatives(sentence), this.#attention(sentence, hypothesis));
  }

  #alternatives(sentence) {
    const name = uniqueId("hypothesis");
    const best = Math.exp(sentence.hypotheses[0].score ?? 0);
    const rows = sentence.hypotheses.map((hypothesis, index) => {
      const score = hypothesis.score ?? 0;
      const bar = element("span", { class: "bar", "aria-hidden": "true" }, element("span"));
      bar.firstChild.style.width = `${Math.min(100, (100 * Math.exp(score)) / best)}%`;
      const input = element("input", { type: "radio", name, checked: index === this.#chosen.hypothesis, on: { change: () => this.#choose(this.#chosen.sentence, index) } });
      const reason = FINISHED[hypothesis.finishReason];
      return element("label", { class: "hypothesis" }, input, element("span", { class: "hypothesis-text", lang: this.output.lang || null, text: hypothesis.text }), reason ? element("span", { class: "pill warn", text: reason }) : null, bar, element("span", { class: "score mono", text: score.toFixed(3) }));
    });
    const legend = rows.length > 1 ? "Alternatives, by score (log-probability for each token)" : "Score (log-probability for each token)";
    const made = element("fieldset", { class: "hypotheses" }, element("legend", { class: "label", text: legend }), rows);
    return made;
  }

  #attention(sentence, hypothesis) {
    if (!hypothesis.attention) return element("p", { class: "hint", text: "This model has no attention: it reads the source into one vector." });
    const view = attentionView({
      sourceTokens: sentence.sourceTokens,
      tokens: hypothesis.tokens,
      attention: hypothesis.attention,
      sourceLanguage: this.source.value === "auto" || this.model.value ? null : this.source.value,
      targetLanguage: this.output.lang || null,
      byPieces: this.pieces.input.checked,
    });
    return element("div", { class: "stack" }, element("div", { class: "behind-head" }, element("h4", { text: "Attention" }), this.pieces), view);
  }
}

export default { id: "translate", title: "Translate", kinds: [KIND], fills: "translator-en-de", mount: (root, app) => ({ panel: new TranslatePanel(root, app) }) };
