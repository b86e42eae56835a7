// The monitor: charts, alerts, rules and the log, each under its tab; the address keeps the tab and what was asked for.

import { html, render } from "htm/preact";
import { onceAFrame } from "./frames.js";
import { t } from "./i18n.js";
import { Alerts, AlertsTab } from "./monitor-alerts.js";
import { Charts } from "./monitor-charts.js";
import { LogTab } from "./monitor-log.js";
import { RulesTab } from "./monitor-rules.js";
import { ParaNetClient, Session } from "./paranet-client.js";
import { Shell } from "./shell.js";
import { Tabs } from "./watch-parts.js";

const main = document.getElementById("main");
const client = new ParaNetClient({ session: new Session() });
const alerts = new Alerts();
const view = read();
const draw = onceAFrame(paint);
const shell = new Shell(client, { draw });
const TABS = { charts: t("Charts"), alerts: t("Alerts"), rules: t("Rules"), ...(shell.operates && { log: t("Log") }) };

function read() {
  const given = new URLSearchParams(location.hash.slice(1));
  return { tab: given.get("tab") ?? "charts", query: given.get("query") ?? "", alert: given.get("alert") };
}

function paint() {
  shell.show();
  if (alerts.known) render(html`<${Page} />`, main);
}

function Page() {
  const tab = Object.hasOwn(TABS, view.tab) ? view.tab : "charts";
  const body = {
    charts: () => html`<${Charts} shell=${shell} query=${view.query} onQuery=${(query) => go({ query })} live=${shell.live} />`,
    alerts: () => html`<${AlertsTab} ...${{ shell, alerts }} moved=${alerts.moved} selected=${view.alert} onSelect=${(alert) => go({ alert })} />`,
    rules: () => html`<${RulesTab} shell=${shell} moved=${alerts.moved} />`,
    log: () => html`<${LogTab} shell=${shell} live=${shell.live} />`,
  };
  return html`
    <${Tabs} tabs=${TABS} tab=${tab} counts=${{ alerts: alerts.burning }} label=${t("What is shown")} onTab=${(name) => go({ tab: name })} />
    <div id="tab-body" class="body ${tab}" role="tabpanel" aria-labelledby="tab-${tab}">${body[tab]()}</div>`;
}

function go(where) {
  Object.assign(view, where);
  const kept = Object.entries({ tab: view.tab, query: view.query, alert: view.alert }).filter(([, value]) => value);
  history.replaceState(null, "", `#${new URLSearchParams(kept)}`);
  draw();
}

client.subscribe("alerts", {
  onSnapshot(items) {
    if (!alerts.known) {
      main.replaceChildren();
      main.setAttribute("aria-busy", "false");
    }
    alerts.replace(items);
    draw();
  },
  onEvents: (items) => (alerts.change(items), draw()),
});
addEventListener("hashchange", () => {
  Object.assign(view, read());
  draw();
});
client.connect();
