// SPDX-License-Identifier: Apache-2.0
// The theme that was chosen, before anything is painted. Without a choice the system's is taken, also when it changes.
(() => {
  const KEY = "heed-theme";
  const NAMES = ["system", "light", "dark"];
  const systemIsDark = matchMedia("(prefers-color-scheme: dark)");

  function read() {
    try {
      const name = localStorage.getItem(KEY);
      return NAMES.includes(name) ? name : "system";
    } catch {
      return "system"; // the browser keeps nothing for this page
    }
  }

  let current = read();

  function show() {
    document.documentElement.dataset.theme = current === "system" ? (systemIsDark.matches ? "dark" : "light") : current;
  }

  function set(name) {
    current = name;
    show();
    try {
      localStorage.setItem(KEY, name);
    } catch {
      // It lasts for this visit.
    }
  }

  show();
  systemIsDark.addEventListener("change", show);
  addEventListener("DOMContentLoaded", () => {
    const toggle = document.getElementById("theme");
    const draw = () => (toggle.textContent = `Theme: ${current}`);
    toggle.addEventListener("click", () => {
      set(NAMES[(NAMES.indexOf(current) + 1) % NAMES.length]);
      draw();
    });
    draw();
  });
})();
