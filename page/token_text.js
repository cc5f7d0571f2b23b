// SPDX-License-Identifier: Apache-2.0
// A text whose tokens are shaded by how much they surprise the model, in bits: -log2 of a token's probability. One tab
// stop; arrow keys go from token to token. The token pointed at is told in full, with what the model expected.
import { bars, percent } from "./bars.js";
import { element, formatNumber, show } from "./elements.js";

// A token belongs to the last level that it reaches.
const LEVELS = [0, 1, 2, 4, 6, 9, 13];

export function bitsOf(logProbability) {
  return -logProbability / Math.LN2;
}

export function levelOf(bits) {
  return LEVELS.findLastIndex((from) => bits >= from);
}

export function surpriseLegend() {
  const marks = LEVELS.map((from, level) =>
    element(
      "li",
      {},
      element("span", {
        class: `legend-token level-${level}`,
        text: level + 1 < LEVELS.length ? `${from}–${LEVELS[level + 1]}` : `over ${from}`,
      }),
    ),
  );
  return element(
    "div",
    { class: "legend-row" },
    element("span", { class: "hint", text: "Bits of surprise" }),
    element("ul", { class: "legend" }, marks),
  );
}

export class TokenText {
  // `scores`: heed.v1.TokenScores, whose offsets count bytes of `text` in UTF-8. `before`: shown unshaded in front.
  constructor({ text, scores, before = "" }) {
    const bytes = new TextEncoder().encode(text);
    const decoder = new TextDecoder();
    const slice = (from, to) => decoder.decode(bytes.subarray(from, to));
    this.details = element("div", { class: "token-details" });
    this.marks = [];
    this.scores = [];
    const parts = before ? [element("span", { class: "token-before", text: before })] : [];
    let at = 0;
    for (const score of scores) {
      const [start, end] = [Number(score.start ?? 0), Number(score.end ?? 0)];
      if (end <= start || start < at) continue; // special tokens have no place in the text
      if (start > at) parts.push(slice(at, start));
      const [, blanks, word] = slice(start, end).match(/^(\s*)(.*)$/s);
      parts.push(blanks, word ? this.#mark(score, word) : null); // a blank has nothing to shade
      at = end;
    }
    if (at < bytes.length) parts.push(slice(at, bytes.length));
    this.text = element("p", { class: "token-text", on: { keydown: (event) => this.#onKey(event) } }, parts);
    this.element = element("div", { class: "stack" }, this.text, this.details);
    if (this.marks.length) this.marks[0].tabIndex = 0;
    this.#tell(this.#mostSurprising());
  }

  #mark(score, text) {
    const index = this.marks.length;
    const isScored = score.logProbability !== undefined;
    const bits = isScored ? bitsOf(score.logProbability) : 0;
    const mark = element("span", {
      class: `token level-${levelOf(bits)}${isScored ? "" : " unscored"}${score.unknown ? " unknown" : ""}`,
      role: "button",
      tabIndex: -1,
      "aria-label": `${text}: ${isScored ? `${formatNumber(bits, 1)} bits` : "no probability"}`,
      "aria-pressed": "false",
      text,
    });
    for (const event of ["click", "focus", "pointerenter"]) mark.addEventListener(event, () => this.#tell(index));
    this.marks.push(mark);
    this.scores.push({ ...score, text, bits, isScored });
    return mark;
  }

  #mostSurprising() {
    return this.scores.reduce((best, score, i) => (score.bits > (this.scores[best]?.bits ?? -1) ? i : best), -1);
  }

  #onKey(event) {
    const index = this.marks.indexOf(event.target);
    const next = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: this.marks.length - 1 }[event.key];
    if (index < 0 || next === undefined) return;
    event.preventDefault();
    this.marks[Math.min(this.marks.length - 1, Math.max(0, next))].focus();
  }

  #tell(index) {
    const score = this.scores[index];
    if (!score) return;
    this.marks.forEach((mark, i) => {
      mark.setAttribute("aria-pressed", String(i === index));
      mark.tabIndex = i === index ? 0 : -1;
    });
    const facts = [];
    if (score.unknown) facts.push("not in the vocabulary: read as the unknown word");
    if (!score.isScored) facts.push("no probability: nothing stands before it");
    else {
      const probability = Math.exp(score.logProbability);
      facts.push(
        `${formatNumber(score.bits, 1)} bits`,
        probability >= 0.01 ? percent(probability) : `1 in ${formatNumber(1 / probability, 0)}`,
      );
      if (Number(score.rank ?? 0) > 0)
        facts.push(Number(score.rank) === 1 ? "the likeliest" : `the ${ordinal(Number(score.rank))} likeliest`);
    }
    const top = (score.top ?? []).map(({ token, logProbability = 0 }) => ({
      label: plainToken(token),
      share: Math.exp(logProbability),
      color: plainToken(token) === score.text ? 2 : 1,
    }));
    show(
      this.details,
      element("p", {}, element("strong", { class: "told-token", text: score.text }), ` ${facts.join(" · ")}`),
      top.length ? element("p", { class: "label", text: "What the model expected here" }) : null,
      top.length ? bars(top, { full: Math.max(...top.map(({ share }) => share)), caption: "What the model expected here" }) : null,
    );
  }
}

// The vocabulary's mark of a word's beginning is a blank.
export function plainToken(token) {
  return token.replace(/^▁/, "").replace(/▁/g, " ") || "(blank)";
}

function ordinal(number) {
  const rest = number % 100;
  const ending = rest >= 11 && rest <= 13 ? "th" : ({ 1: "st", 2: "nd", 3: "rd" }[number % 10] ?? "th");
  return `${formatNumber(number, 0)}${ending}`;
}
