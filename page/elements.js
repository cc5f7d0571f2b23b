// SPDX-License-Identifier: Apache-2.0
// Builders for the elements of the page. Texts become text nodes and attributes, never markup.

const SVG = "http://www.w3.org/2000/svg";
// Set as properties: as attributes they would be the first value alone, or texts.
const PROPERTIES = new Set(["value", "checked", "hidden", "disabled", "selected", "open", "tabIndex", "readOnly", "indeterminate"]);

let ids = 0;

export function uniqueId(prefix) {
  ids += 1;
  return `${prefix}-${ids}`;
}

function append(parent, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    parent.append(child);
  }
}

// `properties`: class, text, on: {event: function}, dataset: {name: value}, attributes and the properties above. false,
// null and undefined leave an attribute out; true writes it empty.
export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === "class") made.className = value ?? "";
    else if (key === "text") made.textContent = value;
    else if (key === "on") for (const [event, act] of Object.entries(value)) made.addEventListener(event, act);
    else if (key === "dataset") Object.assign(made.dataset, value);
    else if (PROPERTIES.has(key)) {
      if (value !== undefined && value !== null) made[key] = value;
    } else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value === true ? "" : value);
  }
  append(made, children);
  return made;
}

export function svgElement(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "text") made.textContent = value;
    else if (key === "on") for (const [event, act] of Object.entries(value)) made.addEventListener(event, act);
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value === true ? "" : value);
  }
  append(made, children);
  return made;
}

// Puts the children in place of what the parent has.
export function show(parent, ...children) {
  parent.replaceChildren();
  append(parent, children);
}

// `kind`: primary (the panel's one act), plain, quiet (within a line).
export function button(text, { kind = "plain", onClick, ...properties } = {}) {
  return element("button", { type: "button", ...properties, class: `button ${kind} ${properties.class ?? ""}`.trim(), on: onClick ? { click: onClick } : {} }, text);
}

// The label over the control, and under it a hint.
export function field(label, control, { hint, ...properties } = {}) {
  control.id ||= uniqueId("field");
  const parts = [element("label", { for: control.id, text: label }), control];
  if (hint) {
    const line = element("p", { class: "hint", id: uniqueId("hint"), text: hint });
    control.setAttribute("aria-describedby", line.id);
    parts.push(line);
  }
  return element("div", { ...properties, class: `field ${properties.class ?? ""}`.trim() }, parts);
}

function optionOf(option) {
  const { value, text } = typeof option === "string" ? { value: option, text: option } : option;
  return element("option", { value, text });
}

// `options`: texts, or {value, text}.
export function selectOf(options, { value, onChange, ...properties } = {}) {
  const made = element("select", { ...properties, on: onChange ? { change: () => onChange(made.value) } : {} }, options.map(optionOf));
  if (value !== undefined) made.value = value;
  return made;
}

// Other options for a select: what was chosen stays, where it still is one of them.
export function setOptions(select, options) {
  const before = select.value;
  const made = options.map(optionOf);
  select.replaceChildren(...made);
  if (made.some((option) => option.value === before)) select.value = before;
}

export function textInput({ onChange, ...properties } = {}) {
  return element("input", { type: "text", autocomplete: "off", ...properties, on: onChange ? { input: (event) => onChange(event.target.value) } : {} });
}

export function numberInput(properties = {}) {
  return textInput({ inputmode: "decimal", step: "any", ...properties, type: "number" });
}

export function textArea({ onChange, ...properties } = {}) {
  return element("textarea", { rows: 4, spellcheck: "false", ...properties, on: onChange ? { input: (event) => onChange(event.target.value) } : {} });
}

export function checkField(label, { checked = false, onChange } = {}) {
  const input = element("input", { type: "checkbox", checked, on: onChange ? { change: () => onChange(input.checked) } : {} });
  const made = element("label", { class: "check" }, input, element("span", { text: label }));
  made.input = input;
  return made;
}

// What few look for, closed at first.
export function more(summary, ...children) {
  return element("details", { class: "more" }, element("summary", { text: summary }), element("div", { class: "more-body" }, children));
}

// `kind`: info, wait, error. Errors are read out at once.
export function notice(kind, ...children) {
  return element("div", { class: `notice ${kind}`, role: kind === "error" ? "alert" : "status" }, children);
}

// What went wrong, of a CallError or any other. The field that is wrong stands out.
export function errorNotice(error) {
  const message = error.message || String(error);
  const at = error.field ? message.indexOf(error.field) : -1;
  const text = element("p");
  if (error.field) {
    const name = element("strong", { class: "mono", text: error.field });
    if (at < 0) text.append(name, `: ${message}`);
    else text.append(message.slice(0, at), name, message.slice(at + error.field.length));
  } else text.append(message);
  const facts = [];
  if (error.code) facts.push(error.status ? `${error.code}, HTTP ${error.status}` : error.code);
  if (error.retryAfter) facts.push(`try again in ${formatSeconds(error.retryAfter)}`);
  return notice("error", text, facts.length ? element("p", { class: "hint", text: facts.join(" · ") }) : null);
}

export function formatNumber(number, digits = 2) {
  return Number(number).toLocaleString("en", { maximumFractionDigits: digits, minimumFractionDigits: 0 });
}

export function formatBytes(bytes) {
  if (bytes < 1000) return `${formatNumber(bytes, 0)} B`;
  if (bytes < 1e6) return `${formatNumber(bytes / 1e3, 1)} kB`;
  if (bytes < 1e9) return `${formatNumber(bytes / 1e6, 1)} MB`;
  return `${formatNumber(bytes / 1e9, 2)} GB`;
}

export function formatSeconds(seconds) {
  if (seconds < 0.9995) return `${formatNumber(seconds * 1000, seconds < 0.0995 ? 1 : 0)} ms`;
  return `${formatNumber(seconds, 1)} s`;
}
