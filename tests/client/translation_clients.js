// SPDX-License-Identifier: Apache-2.0
// What tests/client/translation_clients_test.py asks the npm packages libretranslate and deepl-node, unchanged.
//
//   node translation_clients.js URL KEY libretranslate|deepl-node     prints a line of JSON for each call
"use strict";
const [url, key, client] = process.argv.slice(2);

function print(called, came) {
  console.log(JSON.stringify({ called, came: came === undefined ? null : came }));
}

async function libretranslate() {
  const { translate } = require("libretranslate");
  // This package sends its key as "apiKey", which is not LibreTranslate's name for it: it is for servers without keys.
  print("translate en-de", await translate({ query: "Good morning.", source: "en", target: "de", apiurl: url }));
  print("translate auto-de html",
    await translate({ query: "<p>Where is the <b>station</b>?</p>", target: "de", format: "html", apiurl: url }));
  try {
    await translate({ query: "a", source: "xx", target: "de", apiurl: url });
  } catch (error) {
    print("translate xx-de", String(error));
  }
}

async function deeplNode() {
  const deepl = require("deepl-node");
  const translator = new deepl.Translator(key, { serverUrl: url, maxRetries: 0 });
  print("getSourceLanguages", await translator.getSourceLanguages());
  print("getTargetLanguages", await translator.getTargetLanguages());
  print("translateText", await translator.translateText("Good morning.", "en", "de"));
  print("translateText list", await translator.translateText(["Good morning.", "Thank you."], null, "de", {
    splitSentences: "nonewlines", preserveFormatting: true, formality: "prefer_more", context: "a letter",
  }));
  print("translateText xml", await translator.translateText(
    "<d>Where is the <x>stop</x> <b>station</b>?</d>", "en", "de", { tagHandling: "xml", ignoreTags: ["x"] }));
  const glossary = await translator.createGlossary("names", "en", "de",
    new deepl.GlossaryEntries({ entries: { station: "Haltestelle" } }));
  print("createGlossary", glossary);
  print("getGlossaryEntries", (await translator.getGlossaryEntries(glossary)).entries());
  print("translateText glossary", await translator.translateText("Where is the station?", "en", "de", { glossary }));
  print("listGlossaries", await translator.listGlossaries());
  await translator.deleteGlossary(glossary);
  print("listGlossaries", await translator.listGlossaries());
  print("getUsage", await translator.getUsage());
  try {
    await translator.translateText("a", "en", "de", { formality: "more" });
  } catch (error) {
    print("translateText formality more", String(error));
  }
  try {
    await new deepl.Translator("wrong", { serverUrl: url, maxRetries: 0 }).getUsage();
  } catch (error) {
    print("getUsage wrong key", error.constructor.name);
  }
}

(client === "libretranslate" ? libretranslate() : deeplNode()).catch((error) => {
  console.error(error);
  process.exit(1);
});
