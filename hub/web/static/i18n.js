// The page's language. English texts are the keys; the hub puts the catalogue of another language into the page.

const words = JSON.parse(document.getElementById("words")?.textContent ?? "{}");

const YEAR = 31_536_000; // s

export const language = document.documentElement.lang;

/** A text in the page's language; {name} in it is replaced by values.name. Texts are written out, so that they can be collected. */
export function t(text, values = {}) {
  return (words[text] ?? text).replace(/\{(\w+)\}/g, (hole, name) => values[name] ?? hole);
}

/** Show this and all pages to come in another language. */
export function speak(code) {
  if (code === language) return;
  document.cookie = `paranet_language=${code}; path=/; max-age=${YEAR}; samesite=strict`;
  location.reload();
}

/** Let the buttons that name a language do that. */
export function offerLanguages() {
  for (const button of document.querySelectorAll("[data-language]")) button.addEventListener("click", () => speak(button.dataset.language));
}
