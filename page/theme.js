// SPDX-License-Identifier: Apache-2.0
// The theme that was chosen, before anything is painted. Without a choice the system's is taken.
(() => {
  const KEY = "heed-theme";
  const NAMES = ["system", "light", "dark"];

  function read() {
    try {
      const name = localStorage.getItem(KEY);
      return NAMES.includes(name) ? name : "system";
    } catch {
      return "system"; // the browser keeps nothing for this page
    }
  }

  function set(name) {
    if (name === "system") document.documentElement.removeAttribute("data-theme");
    else document.documentElement.dataset.theme = name;
    try {
      localStorage.setItem(KEY, name);
    } catch {
      // It lasts for this visit.
    }
  }

  set(read());
  addEventListener("DOMContentLoaded", () => {
    const toggle = document.getElementById("theme");
    let current = read();
    const draw = () => (toggle.textContent = `Theme: ${current}`);
    toggle.addEventListener("click", () => {
      current = NAMES[(NAMES.indexOf(current) + 1) % NAMES.length];
      set(current);
      draw();
    });
    draw();
  });
})();
