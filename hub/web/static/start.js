// Loads a page proper; says what to do when its libraries have not been fetched.

import { t } from "./i18n.js";

/** *loading* is the page's module, *place* the element that is busy until then. */
export function start(loading, place) {
  loading.catch((error) => {
    console.error(error);
    document.getElementById(place).setAttribute("aria-busy", "false");
    document.getElementById("starting").textContent = t("This page could not start. In a checkout its libraries are fetched once with: python -m hub.web.vendor");
  });
}
