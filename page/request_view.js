// SPDX-License-Identifier: Apache-2.0
// The request that a panel sent, as curl, grpcurl and Python, to copy; and how long its answer took.
import { button, element, formatBytes, formatSeconds, show, uniqueId } from "./elements.js";
import { token, urlOf } from "./calls.js";
import { pythonProgram } from "./python_code.js";

// Larger messages are a file beside the command.
const MAX_SHOWN = 8192;
const MAX_LINE = 88;
const FILE_NAME = "request.json";
const FORMS = [
  ["curl", "curl"],
  ["grpcurl", "grpcurl"],
  ["python", "Python"],
];

// One word for a shell of POSIX.
export function shellQuote(text) {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

// The same, without quotes where no shell makes anything else of it.
export function shellWord(text) {
  return /^[\w.:/@-]+$/.test(text) ? text : shellQuote(text);
}

// As many in a line as there is room for.
function filled(words, indent) {
  const lines = [];
  let line = "";
  words.forEach((word, index) => {
    const next = index + 1 < words.length ? `${word},` : word;
    if (line && indent.length + line.length + next.length > MAX_LINE) {
      lines.push(indent + line);
      line = "";
    }
    line += next;
  });
  return [...lines, indent + line].join("\n");
}

// JSON in which what fits into a line is one line.
function messageText(value, indent = "") {
  const line = JSON.stringify(value);
  if (line.length + indent.length <= MAX_LINE || typeof value !== "object") return line;
  const inner = `${indent}  `;
  const isList = Array.isArray(value);
  if (isList && value.every((one) => typeof one !== "object")) return `[\n${filled(value.map((one) => JSON.stringify(one)), inner)}\n${indent}]`;
  const parts = Object.entries(value).map(([key, one]) => `${inner}${isList ? "" : `${JSON.stringify(key)}: `}${messageText(one, inner)}`);
  return `${isList ? "[" : "{"}\n${parts.join(",\n")}\n${indent}${isList ? "]" : "}"}`;
}

export class RequestView {
  #app;
  #shown = "curl";
  #request = null;
  #sent = 0;
  #code = element("code");
  #facts = element("span", { class: "request-facts", role: "status" });
  #note = element("p", { class: "hint" });
  #copy = button("Copy", { kind: "quiet", onClick: () => this.#copyText() });
  #save = button(`Save ${FILE_NAME}`, { kind: "quiet", hidden: true, onClick: () => this.#saveMessage() });
  #choices = [];

  constructor(app) {
    this.#app = app;
    const name = uniqueId("form");
    for (const [form, text] of FORMS) {
      const input = element("input", { type: "radio", name, value: form, checked: form === this.#shown, on: { change: () => this.#choose(form) } });
      this.#choices.push(element("label", {}, input, element("span", { text })));
    }
    const code = element("pre", { tabIndex: 0, "aria-label": "The request", role: "group" }, this.#code);
    this.element = element(
      "section",
      { class: "card request", hidden: true, "aria-label": "Request sent" },
      element("div", { class: "request-head" }, element("h3", { text: "Request sent" }), this.#facts),
      element("div", { class: "request-bar" }, element("fieldset", { class: "choices" }, element("legend", { class: "sr-only", text: "Shown as" }), this.#choices), this.#save, this.#copy),
      code,
      this.#note,
    );
  }

  // What calls.js tells. The ticket says which request is answered: only the last one is shown.
  sent(request) {
    this.#request = request;
    this.#sent += 1;
    this.element.hidden = false;
    this.#facts.textContent = "sent …";
    this.#draw();
    return this.#sent;
  }

  answered(ticket, { seconds, bytes }) {
    if (ticket === this.#sent) this.#facts.textContent = `answered in ${formatSeconds(seconds)} · ${formatBytes(bytes)}`;
  }

  failed(ticket, { seconds, error }) {
    if (ticket !== this.#sent) return;
    this.#facts.textContent = error.name === "AbortError" ? "cancelled" : `failed in ${formatSeconds(seconds)} · ${error.code ?? error.name}`;
  }

  // The text that is shown: a command, or a program.
  get text() {
    return this.#code.textContent;
  }

  #choose(form) {
    this.#shown = form;
    this.#draw();
  }

  get #isLarge() {
    return JSON.stringify(this.#request.message).length > MAX_SHOWN;
  }

  // gRPC's address: the server knows its port, the browser its host.
  get #address() {
    return `${location.hostname}:${this.#app.server.grpcPort || 50051}`;
  }

  #curl() {
    const { method, message, streamed } = this.#request;
    const lines = [`curl${streamed ? " -N" : ""} ${shellQuote(urlOf(method))}`, "-H 'content-type: application/json'"];
    if (streamed) lines.push("-H 'accept: text/event-stream'");
    if (token()) lines.push(`-H "authorization: Bearer $HEED_TOKEN"`);
    lines.push(this.#isLarge ? `--data-binary @${FILE_NAME}` : `-d ${shellQuote(messageText(message))}`);
    return lines.join(" \\\n  ");
  }

  #grpcurl() {
    const { method, message } = this.#request;
    const lines = [`grpcurl${this.#app.server.tls ? "" : " -plaintext"}`];
    if (token()) lines.push(`-H "authorization: Bearer $HEED_TOKEN"`);
    lines.push(this.#isLarge ? "-d @" : `-d ${shellQuote(messageText(message))}`);
    lines.push(`${shellWord(this.#address)} heed.v1.${method}${this.#isLarge ? ` < ${FILE_NAME}` : ""}`);
    return lines.join(" \\\n  ");
  }

  #python() {
    return pythonProgram(this.#request.python, this.#address, this.#app.server.tls);
  }

  #draw() {
    const texts = { curl: () => this.#curl(), grpcurl: () => this.#grpcurl(), python: () => this.#python() };
    this.#code.textContent = texts[this.#shown]();
    this.#save.hidden = !this.#isLarge || (this.#shown === "python" && !this.#request.python.readsFile);
    const notes = [];
    if (token()) notes.push("Your token is in the environment variable HEED_TOKEN, not in this text.");
    if (this.#shown === "python") notes.push("Needs client/python: pip install client/python.");
    if (this.#shown === "grpcurl" && !this.#app.server.grpcPort) notes.push("The server's gRPC address is not known here.");
    show(this.#note, notes.join(" "));
    this.#note.hidden = notes.length === 0;
  }

  async #copyText() {
    try {
      await navigator.clipboard.writeText(this.text);
    } catch {
      // Without TLS a browser may have no clipboard: then the text is marked, for the keyboard's copy.
      getSelection().selectAllChildren(this.#code);
      this.#app.say("The text is marked: press Ctrl+C.");
      return;
    }
    this.#copy.textContent = "Copied";
    this.#app.say("Copied");
    setTimeout(() => (this.#copy.textContent = "Copy"), 1500);
  }

  #saveMessage() {
    const url = URL.createObjectURL(new Blob([JSON.stringify(this.#request.message)], { type: "application/json" }));
    element("a", { href: url, download: FILE_NAME }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  }
}
