// The page's language. English texts are the keys; the hub puts the catalogue of another language into the page.

const words = JSON.parse(document.getElementById("words")?.textContent ?? "{}");

export const language = document.documentElement.lang;

/** A text in the page's language; {name} in it is replaced by values.name. Texts are written out, so that they can be collected. */
export function t(text, values = {}) {
  return (words[text] ?? text).replace(/\{(\w+)\}/g, (hole, name) => values[name] ?? hole);
}
