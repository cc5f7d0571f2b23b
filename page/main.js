// SPDX-License-Identifier: Apache-2.0
// The page's frame: tabs, the models that the server has, and what the panels share.
import { button, element, errorNotice, notice, show } from "./elements.js";
import { call } from "./calls.js";
import { watchToken } from "./token_form.js";

const PANELS = [
  { id: "translate", title: "Translate", load: () => import("./translate.js") },
  { id: "graphs", title: "Graphs", load: () => import("./graphs.js") },
  { id: "questions", title: "Questions", load: () => import("./questions.js") },
  { id: "language", title: "Language", load: () => import("./language.js") },
  { id: "models", title: "Models", load: () => import("./models.js") },
];
// Models come and go seldom; while some load, or the server is gone, we look more often.
const LOOK_AGAIN_MS = 15_000;
const LOOK_SOON_MS = 1_500;

const byId = (id) => document.getElementById(id);

// What panels share. `server`: as /page/server.json has it.
const app = {
  server: { version: "", grpcPort: 0, tls: false, tokens: false, management: false },
  models: [],
  ready(...kinds) {
    const ready = app.models.filter((model) => model.state === "MODEL_STATE_READY" && kinds.includes(model.kind));
    return ready.sort((a, b) => Number(b.isDefault ?? false) - Number(a.isDefault ?? false) || a.name.localeCompare(b.name));
  },
  // `watch(models)` is called at once, and whenever they are others.
  watchModels(watch) {
    watchers.push(watch);
    watch(app.models);
  },
  // Reads `models` again, now; they are read now and then anyway.
  readModels: (signal) => readModels(signal),
  // For those who listen instead of looking.
  say(text) {
    byId("said").textContent = text;
  },
};

const watchers = [];
let modelsRead = false;
let modelsError = null;

// Reads them, and tells who watches.
async function readModels(signal) {
  const models = [];
  let pageToken = "";
  do {
    const page = await call("ModelService/ListModels", { pageSize: 1000, pageToken }, { signal });
    models.push(...(page.models ?? []));
    pageToken = page.nextPageToken ?? "";
  } while (pageToken);
  const isNew = !modelsRead || JSON.stringify(models) !== JSON.stringify(app.models);
  modelsRead = true;
  modelsError = null;
  app.models = models;
  showBanner();
  if (!isNew) return;
  for (const watch of watchers) watch(models);
  for (const panel of panels) panel.refresh();
}

let looking = null;

async function look() {
  clearTimeout(looking);
  if (!document.hidden) {
    try {
      await readModels();
    } catch (error) {
      modelsError = error;
      showBanner();
      for (const panel of panels) panel.refresh();
    }
  }
  // A token is asked for, and given, by a person.
  const isSettled = modelsError ? modelsError.code === "unauthenticated" : app.models.every((model) => model.state !== "MODEL_STATE_LOADING");
  looking = setTimeout(look, isSettled ? LOOK_AGAIN_MS : LOOK_SOON_MS);
}

function showBanner() {
  const banner = byId("banner");
  if (!modelsError || modelsError.code === "unauthenticated") {
    show(banner);
  } else if (!banner.firstChild) {
    show(banner, errorNotice(modelsError));
  }
}

// A panel: its tab, its place, and its module, which is loaded when the tab is opened first.
class Panel {
  #panel = null;
  #hooks = null;
  #isOpen = false;
  #failed = null;

  constructor({ id, title, load }) {
    Object.assign(this, { id, title, load });
    this.tab = element("a", { class: "tab", role: "tab", id: `tab-${id}`, href: `#${id}`, "aria-controls": `panel-${id}`, "aria-selected": "false", tabIndex: -1, text: title });
    this.body = element("div", { class: "panel-body" });
    this.place = element("section", { class: "panel", role: "tabpanel", id: `panel-${id}`, "aria-labelledby": `tab-${id}`, hidden: true }, element("h2", { text: title }), this.body);
  }

  async open() {
    this.#isOpen = true;
    this.place.hidden = false;
    this.tab.setAttribute("aria-selected", "true");
    this.tab.tabIndex = 0;
    if (!this.#panel) {
      try {
        this.#panel = (await this.load()).default;
        this.#failed = null;
      } catch (error) {
        this.#failed = error;
      }
    }
    if (!this.#isOpen) return;
    if (this.#hooks) this.wake();
    else this.refresh();
  }

  close() {
    if (!this.#isOpen) return;
    this.sleep();
    this.#isOpen = false;
    this.place.hidden = true;
    this.tab.setAttribute("aria-selected", "false");
    this.tab.tabIndex = -1;
  }

  wake() {
    if (this.#isOpen) this.#hooks?.show?.();
  }

  sleep() {
    if (this.#isOpen) this.#hooks?.hide?.();
  }

  leave() {
    this.#hooks?.leave?.();
  }

  // Mounts it as soon as it can do something; until then it says what it waits for.
  refresh() {
    if (!this.#isOpen || this.#hooks) return;
    if (this.#failed) {
      show(this.body, notice("error", element("p", { text: `This panel could not be loaded: ${this.#failed.message}` }), button("Try again", { onClick: () => this.open() })));
    } else if (this.#panel && (this.#panel.kinds.length === 0 || app.ready(...this.#panel.kinds).length > 0)) {
      show(this.body);
      this.#hooks = this.#panel.mount(this.body, app) ?? {};
      this.wake();
    } else if (this.#panel) {
      show(this.body, this.#emptyState());
    }
  }

  #emptyState() {
    if (modelsError?.code === "unauthenticated") return notice("info", element("p", { text: "This server asks for a token. Give it above." }));
    if (modelsError) return notice("wait", element("p", { text: "Waiting for the server …" }));
    if (!modelsRead) return notice("wait", element("p", { text: "Asking the server for its models …" }));
    const loading = app.models.filter((model) => model.state === "MODEL_STATE_LOADING");
    if (loading.length) return notice("wait", element("p", { text: `Models are loading: ${loading.map((model) => model.name).join(", ")} …` }));
    return notice("info", element("p", { text: `No model on this server fills this panel. ${this.#panel.fills} would: put it into the server's --models.` }), element("p", {}, element("a", { href: "#models", text: "What it has" })));
  }
}

const panels = PANELS.map((panel) => new Panel(panel));
let current = null;

function openFromAddress() {
  const id = location.hash.slice(1);
  const panel = panels.find((one) => one.id === id) ?? current ?? panels[0];
  if (panel === current) return;
  current?.close();
  current = panel;
  document.title = `${panel.title} – Heed`;
  panel.open();
}

// The keys of the tabs pattern: https://www.w3.org/WAI/ARIA/apg/patterns/tabs/
function onTabKey(event) {
  const index = panels.indexOf(current);
  const next = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: panels.length - 1 }[event.key];
  if (event.key === " ") {
    event.preventDefault();
    event.target.click();
  }
  if (next === undefined) return;
  event.preventDefault();
  const panel = panels[(next + panels.length) % panels.length];
  location.hash = panel.id;
  panel.tab.focus();
}

async function readServer() {
  try {
    const response = await fetch(new URL("page/server.json", document.baseURI), { cache: "no-cache" });
    Object.assign(app.server, await response.json());
  } catch {
    return; // the models' error says it
  }
  byId("version").textContent = app.server.version;
  if (app.server.tokens) byId("token").hidden = false;
}

function start() {
  byId("tabs").append(...panels.map((panel) => panel.tab));
  byId("tabs").addEventListener("keydown", onTabKey);
  byId("panels").replaceChildren(...panels.map((panel) => panel.place));
  watchToken(byId("token-form"), byId("token"), look);
  addEventListener("hashchange", openFromAddress);
  addEventListener("pagehide", () => panels.forEach((panel) => panel.leave()));
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return current?.sleep();
    look();
    current?.wake();
  });
  readServer();
  look();
  openFromAddress();
}

start();
