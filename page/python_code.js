// SPDX-License-Identifier: Apache-2.0
// Requests as code for client/python.

const MAX_LINE = 80;

// A value of JSON as Python writes it.
export function pythonLiteral(value) {
  if (value === null || value === undefined) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (typeof value === "number") return Number.isFinite(value) ? String(value) : `float("${value}")`;
  if (typeof value === "string") return pythonText(value);
  if (Array.isArray(value)) return `[${value.map(pythonLiteral).join(", ")}]`;
  const pairs = Object.entries(value).map(([key, one]) => `${pythonText(key)}: ${pythonLiteral(one)}`);
  return `{${pairs.join(", ")}}`;
}

// JSON's escapes are Python's, too; what JSON leaves as it is, Python takes as it is.
function pythonText(text) {
  return JSON.stringify(text);
}

// client.NAME(POSITIONAL, ..., KEYWORD=..., ...), a long one over several lines; keywords that are undefined are left out.
export function pythonCall(name, positional = [], keywords = {}) {
  const given = positional.map(pythonLiteral);
  for (const [key, value] of Object.entries(keywords)) {
    if (value !== undefined) given.push(`${key}=${pythonLiteral(value)}`);
  }
  const line = `client.${name}(${given.join(", ")})`;
  return line.length <= MAX_LINE ? line : `client.${name}(\n    ${given.join(",\n    ")},\n)`;
}

// The whole program. `python`: an expression of `client`, whose value is printed, or {imports, lines}, where lines stand
// in the block of `client`, and readsFile is whether they read the message from request.json.
export function pythonProgram(python, address, isEncrypted) {
  const { imports = [], lines } = typeof python === "string" ? { lines: [`print(${python})`] } : python;
  const tls = isEncrypted ? ", tls=True" : "";
  return [
    "from heed_client import Client",
    ...imports,
    "",
    `with Client(${pythonText(address)}${tls}) as client:`,
    ...lines.flatMap((line) => line.split("\n")).map((line) => (line ? `    ${line}` : "")),
  ].join("\n");
}
