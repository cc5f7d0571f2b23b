// SPDX-License-Identifier: Apache-2.0
// Calls of the server that this page came from: JSON over HTTP, streams as server-sent events (docs/http.md).

const PACKAGE = "heed.v1";
const TOKEN_KEY = "heed-token";

// "unauthenticated" is dispatched when the server wants a token that it did not get.
export const callEvents = new EventTarget();

// Kept for this tab, until it is closed. It goes into a header, never into an address.
export function token() {
  return sessionStorage.getItem(TOKEN_KEY) ?? "";
}

export function setToken(text) {
  if (text) sessionStorage.setItem(TOKEN_KEY, text);
  else sessionStorage.removeItem(TOKEN_KEY);
}

export class CallError extends Error {
  // `status`: of HTTP; 0: the server was not reached, or left. `retryAfter` in seconds, 0: not said.
  constructor({ code = "unknown", message = "", status = 0, field = "", retryAfter = 0 }) {
    super(message || code);
    this.name = "CallError";
    Object.assign(this, { code, status, field, retryAfter });
  }
}

export function isAbort(error) {
  return error?.name === "AbortError";
}

// A new request of a panel cancels the one before.
export class Latest {
  #controller = null;

  signal() {
    this.cancel();
    this.#controller = new AbortController();
    return this.#controller.signal;
  }

  cancel() {
    this.#controller?.abort();
    this.#controller = null;
  }
}

export function urlOf(method) {
  return new URL(`${PACKAGE}.${method}`, document.baseURI).href;
}

function requestId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// The field that google.rpc.BadRequest names, else what the message begins with.
function fieldOf(body) {
  for (const detail of body.details ?? []) {
    const violation = detail.debug?.fieldViolations?.[0];
    if (violation?.field) return violation.field;
  }
  return "";
}

function errorOf(body, status, retryAfter) {
  return new CallError({ code: body.code, message: body.message, status, field: fieldOf(body), retryAfter });
}

async function errorOfResponse(response) {
  const text = await response.text();
  let body = {};
  try {
    body = JSON.parse(text);
  } catch {
    body = { message: text.slice(0, 200) };
  }
  const error = errorOf({ code: `http_${response.status}`, ...body }, response.status, Number(response.headers.get("retry-after")) || 0);
  if (response.status === 401) callEvents.dispatchEvent(new CustomEvent("unauthenticated", { detail: { given: token() !== "" } }));
  return error;
}

async function post(method, message, { signal, headers = {}, keepalive = false }) {
  const all = { "content-type": "application/json", "x-request-id": requestId(), ...headers };
  if (token()) all.authorization = `Bearer ${token()}`;
  let response;
  try {
    response = await fetch(urlOf(method), { method: "POST", body: JSON.stringify(message), headers: all, signal, keepalive, cache: "no-store", credentials: "omit" });
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new CallError({ code: "unavailable", message: `The server at ${location.host} does not answer. Is it running?` });
  }
  if (!response.ok) throw await errorOfResponse(response);
  return response;
}

// Runs `work`, and shows in `view`, if there is one, the request and when its answer came. `work` returns {result, bytes}.
async function shown(method, message, { view, python, streamed = false }, work) {
  const start = performance.now();
  const ticket = view?.sent({ method, message, python, streamed });
  try {
    const { result, bytes } = await work();
    view?.answered(ticket, { seconds: (performance.now() - start) / 1000, bytes });
    return result;
  } catch (error) {
    view?.failed(ticket, { seconds: (performance.now() - start) / 1000, error });
    throw error;
  }
}

// Calls `method`, as "TranslationService/Translate", with the message's JSON; returns the answer's. `signal`: an
// AbortSignal that ends it. `keepalive`: it is sent even though the page is being left. `view`: a RequestView, for which
// `python` is what sends the same from Python (request_view.js).
export function call(method, message, options = {}) {
  return shown(method, message, options, async () => {
    const response = await post(method, message, options);
    const text = await readText(response);
    return { result: text.length ? JSON.parse(text) : {}, bytes: new TextEncoder().encode(text).length };
  });
}

async function readText(response) {
  try {
    return await response.text();
  } catch (error) {
    throw isAbort(error) ? error : cutOff();
  }
}

function cutOff() {
  return new CallError({ code: "unavailable", message: `The server at ${location.host} closed the connection before the answer was whole.` });
}

// The same for a method whose answers are a stream: `onMessage` has each as it comes; resolves at the end.
export function stream(method, message, onMessage, options = {}) {
  return shown(method, message, { ...options, streamed: true }, async () => {
    const headers = { accept: "text/event-stream", ...options.headers };
    const response = await post(method, message, { ...options, headers });
    return { result: undefined, bytes: await readEvents(response, onMessage) };
  });
}

// Server-sent events: lines "event: NAME" and "data: JSON", an empty line after each event. Returns the bytes read.
async function readEvents(response, onMessage) {
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let waiting = "";
  let event = "";
  let data = [];
  let ended = false;
  let bytes = 0;
  const take = (line) => {
    if (line === "") {
      if (event === "end") ended = true;
      else if (event === "error") {
        reader.cancel();
        throw errorOf(JSON.parse(data.join("\n")), response.status, 0);
      } else if (data.length) onMessage(JSON.parse(data.join("\n")));
      event = "";
      data = [];
    } else if (line.startsWith("event:")) event = line.slice(6).trim();
    else if (line.startsWith("data:")) data.push(line.slice(5).trimStart());
  };
  for (;;) {
    let piece;
    try {
      piece = await reader.read();
    } catch (error) {
      throw isAbort(error) ? error : cutOff();
    }
    if (piece.done) break;
    bytes += piece.value.length;
    waiting += decoder.decode(piece.value, { stream: true });
    const lines = waiting.split("\n");
    waiting = lines.pop();
    for (const line of lines) take(line.replace(/\r$/, ""));
  }
  if (!ended) throw cutOff();
  return bytes;
}
