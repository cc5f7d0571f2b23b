// SPDX-License-Identifier: Apache-2.0
// Asks for the token of a server that wants one, when it wants it. calls.js keeps it for this tab.
import { button, element, field, show } from "./elements.js";
import { callEvents, setToken, token } from "./calls.js";

// `place`: where the form appears. `opener`: the button that opens it. `onChange`: the token is another one now.
export function watchToken(place, opener, onChange) {
  let refused = null; // the token for which the form came by itself: it comes once, and whoever closes it is left alone

  const change = (text) => {
    setToken(text);
    refused = null;
    close();
    onChange();
  };

  const close = () => {
    show(place);
    opener.setAttribute("aria-expanded", "false");
  };

  const open = (why) => {
    const input = element("input", { type: "password", autocomplete: "off", spellcheck: "false", value: token() });
    const forget = button("Forget it", {
      hidden: !token(),
      onClick: () => change(""),
    });
    const form = element(
      "form",
      {
        class: "card token-form",
        "aria-label": "Token",
        on: {
          submit: (event) => {
            event.preventDefault();
            change(input.value.trim());
          },
        },
      },
      element("p", { role: "status", text: why }),
      element("div", { class: "row" }, field("Token", input, { class: "grow" }), element("div", { class: "actions" }, element("button", { class: "button primary", type: "submit", text: "Use it" }), forget, button("Close", { kind: "quiet", onClick: close }))),
      element("p", { class: "hint", text: "It stays in this tab, until you close it, and is sent in the header Authorization only." }),
    );
    show(place, form);
    opener.hidden = false;
    opener.setAttribute("aria-expanded", "true");
    input.focus();
  };

  opener.setAttribute("aria-expanded", "false");
  opener.addEventListener("click", () => (place.firstChild ? close() : open("Requests are sent with this token.")));
  callEvents.addEventListener("unauthenticated", (event) => {
    if (place.firstChild || refused === token()) return;
    refused = token();
    open(event.detail.given ? "The server does not know this token." : "This server asks for a token.");
  });
}
