// What the pages about people have in common: one connection, and one column that is drawn once it is live.

import { html, render } from "htm/preact";
import { t } from "./i18n.js";
import { ParaNetClient, Session } from "./paranet-client.js";
import { Shell } from "./shell.js";

export const ROLES = { viewer: t("viewer"), operator: t("operator"), admin: t("admin") };

const main = document.getElementById("main");
const client = new ParaNetClient({ session: new Session() });
export const shell = new Shell(client, { draw });
let Column = null;

function draw() {
  shell.show();
  if (!Column || (!shell.live && main.getAttribute("aria-busy") === "true")) return;
  document.getElementById("starting")?.remove();
  main.setAttribute("aria-busy", "false");
  render(html`<${Column} live=${shell.live} />`, main);
}

/** Show a page: *component* is given {live}. */
export function show(component) {
  Column = component;
  client.connect();
}
