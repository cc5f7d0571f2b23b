// SPDX-License-Identifier: Apache-2.0
// The panel Questions: a story told fact by fact to a network with a memory, and questions about it, with the facts behind
// each answer and what the memory's heads read.
import { MODEL, STORIES, WORDS } from "./babi_words.js";
import { bars, percent } from "./bars.js";
import { call, isAbort } from "./calls.js";
import { button, element, errorNotice, field, more, notice, selectOf, setOptions, show, textInput } from "./elements.js";
import { MemoryReads } from "./memory_reads.js";
import { pythonCall, pythonLiteral } from "./python_code.js";
import { RequestView } from "./request_view.js";

const KIND = "MODEL_KIND_QUESTION_ANSWERER";
const OPTIONS = { topK: 5, returnAttribution: true, returnReads: true };
const MAX_FORKS = 6;
const SLOW_MS = 1000; // then the user is offered to stop it
// A change that ended with one of these may have been made, or be made yet.
const UNSURE = ["deadline_exceeded", "canceled", "unavailable"];

export default {
  id: "questions",
  title: "Questions",
  kinds: [KIND],
  fills: MODEL,
  mount: (root, app) => new QuestionsPanel(root, app).hooks,
};

// A story as this page knows it. `session` is the server's, "" until there is one. A fact is {text, unknown: [word]}, an
// answer {question, answer: a heed.v1.QuestionAnswer, factCount}.
class Story {
  constructor(title) {
    this.title = title;
    this.session = "";
    this.facts = [];
    this.answers = [];
    this.shown = -1; // of answers
  }

  fork(title) {
    return Object.assign(new Story(title), { facts: [...this.facts], answers: [...this.answers], shown: this.shown });
  }
}

class QuestionsPanel {
  #stories = [];
  #story = null;
  #busy = Promise.resolve(); // one change at a time
  #controller = new AbortController(); // of what goes on, and what waits for it
  #signal = this.#controller.signal; // of what goes on

  constructor(root, app) {
    this.app = app;
    this.view = new RequestView(app);
    this.hooks = { leave: () => this.#closeAll({ keepalive: true }) };
    this.#build(root);
    app.watchModels(() => setOptions(this.modelSelect, [...new Set(app.ready(KIND).map((model) => model.name))]));
    this.examplesField.hidden = this.words.hidden = !this.#knowsWords;
    if (this.#knowsWords) this.#openExample(STORIES[0]);
    else this.#startStory("Story");
  }

  #build(root) {
    this.modelSelect = selectOf([], { onChange: () => this.#modelChosen() });
    this.examples = element(
      "div",
      { class: "actions" },
      STORIES.map((story) => button(story.title, { onClick: () => this.#openExample(story) })),
    );
    this.examplesField = element("div", { class: "field" }, element("span", { class: "label", text: "Example stories" }), this.examples);
    this.forks = element("div", { class: "forks", hidden: true });
    this.factList = element("ol", { class: "facts", "aria-label": "Facts told" });
    this.factInput = textInput({ placeholder: "John took the apple." });
    this.questionInput = textInput({ placeholder: "Where is the apple?" });
    this.status = element("div", { class: "question-status" });
    this.answerPlace = element("div", { class: "stack" });
    this.readsPlace = element("section", { class: "card", hidden: true, "aria-label": "What the memory's heads read" });
    this.history = element("ul", { class: "history" });
    this.historyPart = more("Earlier answers", this.history);
    const submit = (act) => (event) => {
      event.preventDefault();
      this.#doing(act);
    };
    const tellForm = element(
      "form",
      { class: "entry", on: { submit: submit(() => this.#tell()) } },
      field("Tell a fact", this.factInput, { class: "grow" }),
      element("button", { class: "button", type: "submit" }, "Tell"),
    );
    const askForm = element(
      "form",
      { class: "entry", on: { submit: submit(() => this.#ask()) } },
      field("Ask a question", this.questionInput, { class: "grow" }),
      element("button", { class: "button primary", type: "submit" }, "Ask"),
    );
    this.words = more("Words the model knows", this.#wordList());
    this.words.classList.add("word-list");
    root.append(
      element(
        "div",
        { class: "card" },
        element("p", {
          class: "lead",
          text: "The model reads facts one by one into a memory of its own, and reads that memory to answer. The server keeps it in a session, which this page closes when you leave.",
        }),
        element("div", { class: "row" }, field("Model", this.modelSelect, { class: "model-field" }), this.examplesField),
      ),
      element(
        "div",
        { class: "grid2" },
        element(
          "div",
          { class: "card" },
          element(
            "div",
            { class: "card-head" },
            element("h3", { text: "The story" }),
            element(
              "div",
              { class: "actions" },
              button("New story", { kind: "quiet", onClick: () => this.#doingInstead(() => this.#startStory("Story")) }),
              button("Fork", {
                kind: "quiet",
                onClick: () => this.#doing(() => this.#fork()),
                title: "A second session with the same memory: tell it something else",
              }),
            ),
          ),
          this.forks,
          this.factList,
          tellForm,
          this.words,
        ),
        element("div", { class: "card" }, askForm, this.status, this.answerPlace, this.historyPart),
      ),
      this.readsPlace,
      this.view.element,
    );
  }

  #wordList() {
    return WORDS.map(([what, words]) => element("p", {}, element("strong", { text: `${what}: ` }), words));
  }

  get #knowsWords() {
    return this.modelSelect.value === MODEL;
  }

  #modelChosen() {
    this.examplesField.hidden = this.words.hidden = !this.#knowsWords;
    this.#doingInstead(() => this.#startStory("Story"));
  }

  // One after the other, so that a story's facts come in order.
  #doing(act) {
    const { signal } = this.#controller;
    this.#busy = this.#busy.then(async () => {
      if (signal.aborted) return;
      this.#signal = signal;
      show(this.status);
      const waiting = notice(
        "wait",
        element("p", { text: "The server has not answered yet." }),
        button("Stop", { onClick: () => (this.#stop(), this.factInput.focus()) }),
      );
      const slow = setTimeout(() => show(this.status, waiting), SLOW_MS);
      try {
        await act();
      } catch (error) {
        if (!isAbort(error)) show(this.status, errorNotice(error));
      } finally {
        clearTimeout(slow);
        waiting.remove();
      }
    });
  }

  // Ends what goes on, and what waits for it.
  #doingInstead(act) {
    this.#stop();
    this.#doing(act);
  }

  #stop() {
    this.#controller.abort();
    this.#controller = new AbortController();
  }

  #call(name, message, options = {}) {
    return call(`QuestionAnsweringService/${name}`, message, { signal: this.#signal, ...options });
  }

  // ---------------------------------------------------------------------------------------------- sessions

  #startStory(title) {
    this.#closeAll();
    this.#stories = [new Story(title)];
    this.#show(this.#stories[0]);
  }

  #openExample({ title, facts, question }) {
    this.#doingInstead(async () => {
      this.#startStory(title);
      await this.#tellFacts(facts);
      this.questionInput.value = question;
      await this.#ask();
    });
  }

  // Sessions end with the page: a server keeps only so many.
  #closeAll(options = {}) {
    for (const story of this.#stories) this.#close(story, options);
  }

  #close(story, options = {}) {
    if (!story.session) return;
    call("QuestionAnsweringService/CloseSession", { session: story.session }, options).catch(() => {}); // it would end by itself, too
    story.session = "";
  }

  async #open(story) {
    const { session } = await this.#call("OpenSession", { model: this.modelSelect.value });
    story.session = session.name;
    if (!story.facts.length) return;
    try {
      await this.#call("Tell", { session: story.session, facts: story.facts.map((fact) => fact.text) });
    } catch (error) {
      this.#close(story);
      throw error;
    }
  }

  // Calls with the story's session. One that the server closed meanwhile (idle, or to make room) is told the story again.
  async #withSession(story, act) {
    if (!story.session) await this.#open(story);
    try {
      return await act(story.session);
    } catch (error) {
      if (error.code !== "not_found") throw error;
      await this.#open(story);
      this.app.say("The session had ended. A new one was told the story again.");
      return act(story.session);
    }
  }

  async #fork() {
    const story = this.#story;
    if (this.#stories.length >= MAX_FORKS)
      return void show(this.status, notice("info", element("p", { text: `This page keeps at most ${MAX_FORKS} forks of a story.` })));
    const made = story.fork(`Fork ${this.#stories.length}`);
    const { session } = await this.#withSession(story, (name) =>
      this.#call(
        "ForkSession",
        { session: name },
        { view: this.view, python: this.#pythonOf(story, "copy = client.fork(session)", "print(copy)", "client.close_session(copy)") },
      ),
    );
    made.session = session.name;
    this.#stories.push(made);
    this.#show(made);
    this.factInput.focus();
    this.app.say(`${made.title}: the same memory in a session of its own`);
  }

  // ---------------------------------------------------------------------------------------------- telling and asking

  async #tell() {
    const text = this.factInput.value.trim();
    if (!text) return void this.factInput.focus();
    await this.#tellFacts([text]);
    this.factInput.value = "";
    this.factInput.focus();
  }

  async #tellFacts(texts) {
    const story = this.#story;
    const python = this.#pythonOf(story, `print(client.tell(session, ${pythonLiteral(texts)}))`);
    let answer;
    try {
      answer = await this.#withSession(story, (session) => this.#call("Tell", { session, facts: texts }, { view: this.view, python }));
    } catch (error) {
      // Nobody knows what the session was told. The next one is told what stands here.
      if (isAbort(error) || UNSURE.includes(error.code)) this.#close(story);
      throw error;
    }
    const unknown = new Set(answer.unknownWords ?? []);
    for (const text of texts) story.facts.push({ text, unknown: wordsOf(text).filter((word) => unknown.has(word)) });
    story.shown = -1;
    this.#show(story);
    this.app.say(`${story.facts.length} facts told`);
    if (unknown.size) this.#showUnknown([...unknown]);
  }

  async #ask() {
    const story = this.#story;
    const question = this.questionInput.value.trim();
    if (!question) return void this.questionInput.focus();
    const python = this.#pythonOf(
      story,
      `for answer in client.ask(session, ${pythonLiteral([question])}, top_k=${OPTIONS.topK}, return_attribution=True, return_reads=True):`,
      `    print(answer.text, [(fact.text, fact.weight) for fact in answer.facts])`,
    );
    const { answers } = await this.#withSession(story, (session) =>
      this.#call("Ask", { session, questions: [question], options: OPTIONS }, { view: this.view, python }),
    );
    story.answers.push({ question, answer: answers[0], factCount: story.facts.length });
    story.shown = story.answers.length - 1;
    this.#show(story);
    if (answers[0].unknownWords?.length) this.#showUnknown(answers[0].unknownWords);
  }

  // A program that tells the story to a session of its own, and does what `lines` say there.
  #pythonOf(story, ...lines) {
    const facts = pythonLiteral(story.facts.map((fact) => fact.text));
    const inner = story.facts.length ? [`client.tell(session, ${facts})`, ...lines] : lines;
    const open = pythonCall("question_session", [], { model: this.modelSelect.value });
    return { lines: [`with ${open} as session:`, ...inner.map((line) => `    ${line}`)] };
  }

  // ---------------------------------------------------------------------------------------------- what is shown

  #showUnknown(words) {
    const text = `The model does not know ${words.length > 1 ? "these words" : "this word"}, and left ${words.length > 1 ? "them" : "it"} out: ${words.join(", ")}.`;
    if (this.#knowsWords) this.words.open = true;
    show(
      this.status,
      notice(
        "info",
        element("p", { text }),
        this.#knowsWords ? element("p", { class: "hint", text: "Below the story are words that it knows." }) : null,
      ),
    );
  }

  #show(story) {
    this.#story = story;
    this.#showForks();
    const current = story.answers[story.shown];
    const weights = new Map((current?.answer.facts ?? []).map(({ fact = 0, weight = 0 }) => [Number(fact), weight]));
    const max = Math.max(...weights.values(), 1e-9);
    this.factMarks = story.facts.map(({ text, unknown }, i) => {
      const weight = weights.get(i) ?? 0;
      const mark = element(
        "li",
        { class: "fact" },
        element("span", { class: "fact-number", text: String(i), "aria-hidden": "true" }),
        element("span", { class: "fact-text", text }),
        weight >= 0.005 ? element("span", { class: "fact-weight", text: percent(weight) }) : null,
        unknown.length ? element("span", { class: "pill warn", text: `not known: ${unknown.join(", ")}` }) : null,
      );
      if (weight >= 0.005) mark.style.setProperty("--weight", (weight / max).toFixed(3));
      return mark;
    });
    show(this.factList, this.factMarks.length ? this.factMarks : element("li", { class: "hint", text: "Nothing was told yet." }));
    this.#showAnswer(story, current);
    this.#showHistory(story);
  }

  #showForks() {
    this.forks.hidden = this.#stories.length < 2;
    show(
      this.forks,
      element("span", { class: "sr-only", text: "Sessions" }),
      this.#stories.map((story) =>
        button(story.title, {
          kind: "plain",
          "aria-pressed": String(story === this.#story),
          onClick: () => this.#doing(() => this.#show(story)),
        }),
      ),
    );
  }

  #showAnswer(story, current) {
    this.readsPlace.hidden = !current;
    if (!current)
      return show(
        this.answerPlace,
        element("p", {
          class: "hint",
          text: story.facts.length ? "Ask, and the facts behind the answer are shaded in the story." : "Tell some facts, then ask.",
        }),
      );
    const { question, answer, factCount } = current;
    const facts = answer.facts ?? [];
    const candidates = (answer.candidates ?? []).map(({ text, probability = 0 }, i) => ({
      label: spoken(text),
      share: probability,
      color: i ? 1 : 3,
    }));
    show(
      this.answerPlace,
      element("p", { class: "asked", text: question }),
      element(
        "p",
        { class: "answer-text" },
        spoken(answer.text ?? ""),
        element("span", { class: "pill", text: percent(answer.candidates?.[0]?.probability ?? 0) }),
      ),
      bars(candidates, { caption: "Likeliest answers" }),
      facts.length ? element("h4", { text: "Facts behind it" }) : null,
      facts.length
        ? bars(
            facts
              .filter(({ weight = 0 }) => weight >= 0.005)
              .slice(0, 5)
              .map(({ fact = 0, text, weight }) => ({ label: `${fact}: ${text}`, share: weight, color: 1 })),
            { full: facts[0].weight, caption: "Facts behind it" },
          )
        : null,
      facts.length
        ? element("p", { class: "hint", text: "How much of what the model read in its memory came from each fact, of all that it read." })
        : null,
    );
    this.app.say(`${spoken(answer.text ?? "")}. ${facts[0] ? `Mostly because of: ${facts[0].text}` : ""}`);
    this.#showReads(story, answer, factCount);
  }

  #showReads(story, answer, factCount) {
    const reads = answer.reads ?? [];
    if (!reads.length) return void (this.readsPlace.hidden = true);
    // ntm-babi writes a fact to the slot behind the one before (its README); of another model we do not know.
    const slotCount = reads[0].weights?.length ?? 0;
    const factOf = (slot) => {
      if (!this.#knowsWords || !slotCount || slot < 0) return -1;
      const last = factCount - 1 - ((factCount - 1 - slot) % slotCount);
      return slot < factCount ? last : -1;
    };
    const map = new MemoryReads({
      reads,
      width: this.readsPlace.clientWidth - 34,
      nameOf: (slot) => story.facts[factOf(slot)]?.text ?? "",
      onPoint: (slot) => this.factMarks.forEach((mark, i) => mark.classList.toggle("pointed", i === factOf(slot))),
    });
    this.factMarks.forEach((mark, fact) => {
      const slot = this.#knowsWords && slotCount && fact < factCount && fact >= factCount - slotCount ? fact % slotCount : -1;
      mark.addEventListener("pointerenter", () => map.mark(slot));
      mark.addEventListener("pointerleave", () => map.mark(-1));
    });
    const steps = new Set(reads.map((read) => read.step ?? 0)).size;
    show(
      this.readsPlace,
      element("h3", { text: `The memory's reads: ${steps} thinking steps, ${reads.length / steps} heads, ${slotCount} slots` }),
      element("p", {
        class: "hint",
        text: `How much each head reads of each slot.${this.#knowsWords ? " This model writes each fact to a slot of its own: fact 0 to slot 0." : ""}`,
      }),
      map.element,
    );
  }

  #showHistory(story) {
    this.historyPart.hidden = story.answers.length < 2;
    show(
      this.history,
      story.answers.map(({ question, answer }, i) =>
        element(
          "li",
          {},
          button(`${question} – ${spoken(answer.text ?? "")}`, {
            kind: "quiet",
            "aria-pressed": String(i === story.shown),
            onClick: () => ((story.shown = i), this.#show(story)),
          }),
        ),
      ),
    );
  }
}

function wordsOf(text) {
  return text.split(/[^\p{L}\p{N}'-]+/u).filter(Boolean);
}

// "e,s" are ways, "apple,milk" things.
function spoken(answer) {
  const ways = { n: "north", e: "east", s: "south", w: "west" };
  return answer
    .split(",")
    .map((part) => ways[part] ?? part)
    .join(", ");
}
