// SPDX-License-Identifier: Apache-2.0
// Shares of a whole as bars in a list: probabilities, attention.
import { element, formatNumber } from "./elements.js";

export function percent(share) {
  if (share > 0 && share < 0.001) return "< 0.1 %";
  return `${formatNumber(100 * share, share < 0.1 || share > 0.999 ? 1 : 0)} %`;
}

// `rows`: {label, share (0 to 1), color (1 to 6, of the series), onClick}. A bar is as long as its share, or as
// its share of `full`. With onClick the label is a button.
export function bars(rows, { full = 1, caption } = {}) {
  const items = rows.map(({ label, share, color, onClick }) => {
    const bar = element("span", { class: "share-bar" }, element("span", { class: `share-fill ${color ? `series-${color}` : ""}`.trim() }));
    bar.firstChild.style.width = `${Math.min(100, Math.max(0.5, (100 * share) / full))}%`;
    bar.setAttribute("aria-hidden", "true");
    const name = onClick
      ? element("button", { type: "button", class: "bar-label bar-button", on: { click: onClick }, text: label })
      : element("span", { class: "bar-label", text: label });
    return element("li", { class: "bar-row" }, name, bar, element("span", { class: "bar-share", text: percent(share) }));
  });
  return element("ul", { class: "bars", "aria-label": caption }, items);
}
