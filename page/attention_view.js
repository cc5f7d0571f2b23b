// SPDX-License-Identifier: Apache-2.0
// What a translation attended to: both sentences, whose words shade each other, and the whole as a heat map.
import { element, formatNumber, show, uniqueId } from "./elements.js";
import { HeatMap } from "./heat_map.js";
import { attentionOf, piecesOf, wordsOf } from "./words.js";

// A sentence whose words can be pointed at. One tab stop; the arrow keys go from word to word.
class WordLine {
  #words;
  #current = 0;

  constructor(words, label, lang, onPoint) {
    this.#words = words.map((word, index) =>
      element("button", { type: "button", class: `word ${word.special ? "special" : ""} ${word.glued ? "glued" : ""}`.trim(), tabIndex: index === 0 ? 0 : -1, text: word.text, dataset: { index } }),
    );
    const tell = (target) => target.dataset?.index !== undefined && onPoint(Number(target.dataset.index));
    const id = uniqueId("line");
    this.element = element(
      "div",
      { class: "word-line" },
      element("span", { class: "label", id, text: label }),
      element(
        "div",
        {
          class: "words",
          role: "toolbar",
          "aria-labelledby": id,
          lang,
          dir: "auto",
          on: {
            pointerover: (event) => tell(event.target),
            focusin: (event) => tell(event.target),
            pointerleave: () => onPoint(-1),
            focusout: () => onPoint(-1),
            keydown: (event) => this.#onKey(event),
          },
        },
        this.#words,
      ),
    );
  }

  // `weights`: one for each word; null takes the shades off. `marked`: the word that is pointed at, or -1.
  shade(weights, marked) {
    this.#words.forEach((word, index) => {
      word.style.setProperty("--weight", weights ? Math.sqrt(weights[index]).toFixed(3) : "0");
      word.classList.toggle("marked", index === marked);
      if (weights) word.setAttribute("aria-description", formatNumber(weights[index]));
      else word.removeAttribute("aria-description");
    });
  }

  #onKey(event) {
    const next = { ArrowRight: this.#current + 1, ArrowLeft: this.#current - 1, Home: 0, End: this.#words.length - 1 }[event.key];
    if (next === undefined || !this.#words[next]) return;
    event.preventDefault();
    this.#words[this.#current].tabIndex = -1;
    this.#current = next;
    this.#words[next].tabIndex = 0;
    this.#words[next].focus();
  }
}

// `sourceTokens`, `tokens` and `attention`: of TranslatedSentence and TranslationHypothesis. `byPieces`: rows and columns
// are the tokenizer's pieces instead of words.
export function attentionView({ sourceTokens, tokens, attention, sourceLanguage, targetLanguage, byPieces }) {
  const group = byPieces ? piecesOf : wordsOf;
  const sources = group(sourceTokens);
  const targets = group(tokens);
  const weights = attentionOf(targets, sources, attention.weights, attention.columnCount);
  const columns = sources.length;
  const rowOf = (row) => sources.map((_, column) => weights[row * columns + column]);
  const columnOf = (column) => targets.map((_, row) => weights[row * columns + column]);

  const point = (row, column, from) => {
    sourceLine.shade(row >= 0 ? rowOf(row) : null, column);
    targetLine.shade(column >= 0 && row < 0 ? columnOf(column) : null, row);
    if (from !== "map") map.point(row, column);
  };
  const sourceLine = new WordLine(sources, "Source", sourceLanguage, (column) => point(-1, column, "line"));
  const targetLine = new WordLine(targets, "Translation", targetLanguage, (row) => point(row, -1, "line"));
  const map = new HeatMap({
    rows: targets.map((word) => word.text),
    columns: sources.map((word) => word.text),
    weights,
    caption: "Each row is a word of the translation. The stronger a cell's color, the more the word attends to that word of the source.",
    onPoint: (row, column) => point(row, column, "map"),
  });
  const made = element("div", { class: "stack" });
  show(made, element("div", { class: "word-lines" }, sourceLine.element, targetLine.element), map.element);
  return made;
}
