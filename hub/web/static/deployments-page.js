// The deployments page: the list from channel `deployments`, one of them from its own log, who holds devices, and what has drifted.

import { html, render } from "htm/preact";
import { Drift, Leases } from "./deployments-devices.js";
import { Deployments, List } from "./deployments-list.js";
import { DeploymentView } from "./deployments-view.js";
import { onceAFrame } from "./frames.js";
import { t } from "./i18n.js";
import { ParaNetClient, Session } from "./paranet-client.js";
import { Shell } from "./shell.js";
import { Tabs } from "./watch-parts.js";

const TABS = { deployment: t("Deployment"), leases: t("Leases"), drift: t("Drift") };

const main = document.getElementById("main");
const client = new ParaNetClient({ session: new Session() });
const deployments = new Deployments();
const view = { selected: location.hash.slice(1) || null, tab: "deployment" };
const draw = onceAFrame(paint);
const shell = new Shell(client, { draw });

function paint() {
  shell.show();
  if (deployments.known) render(html`<${Page} />`, main);
}

function Page() {
  const { selected, tab } = view;
  const shown = selected ?? deployments.newest;
  const body = {
    deployment: () => html`<${DeploymentView} key=${shown} id=${shown} summary=${deployments.get(shown)} ...${{ shell, onSelect }} />`,
    leases: () => html`<${Leases} ...${{ shell, onSelect }} moved=${deployments.moved} />`,
    drift: () => html`<${Drift} ...${{ shell, onSelect }} />`,
  };
  return html`
    <section class="list" aria-label=${t("Deployments")}>
      <${List} ...${{ shell, deployments, onSelect }} selected=${tab === "deployment" ? shown : null} moved=${deployments.moved} live=${shell.live} />
    </section>
    <section class="detail" aria-label=${TABS[tab]}>
      <${Tabs} tabs=${TABS} ...${{ tab, onTab }} label=${t("What is shown")} />
      <div id="tab-body" class="body" role="tabpanel" aria-labelledby="tab-${tab}" tabindex="0">${body[tab]()}</div>
    </section>`;
}

function onTab(tab) {
  view.tab = tab;
  draw();
}

function onSelect(id) {
  Object.assign(view, { selected: id, tab: "deployment" });
  history.replaceState(null, "", `#${id}`);
  draw();
  if (matchMedia("(max-width: 900px)").matches) main.querySelector(".detail")?.scrollIntoView({ block: "start" });
}

client.subscribe("deployments", {
  onSnapshot(items) {
    if (!deployments.known) {
      main.replaceChildren();
      main.setAttribute("aria-busy", "false");
    }
    deployments.replace(items);
    draw();
  },
  onEvents: (items) => (deployments.change(items), draw()),
});
addEventListener("hashchange", () => {
  Object.assign(view, { selected: location.hash.slice(1) || null, tab: "deployment" });
  draw();
});
client.connect();
