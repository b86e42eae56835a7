// Loads the assistant page proper; says what to do when its libraries have not been fetched.

import("./assistant-page.js").catch((error) => {
  console.error(error);
  document.getElementById("main").setAttribute("aria-busy", "false");
  document.getElementById("starting").textContent =
    "This page could not start. In a checkout its libraries are fetched once with: python -m hub.web.vendor";
});
