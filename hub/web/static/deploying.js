// A person deploys what was compiled and proven; the page tells how far it is.

import { html } from "htm/preact";
import { STATES } from "./hub-words.js";
import { t } from "./i18n.js";

const SADLY = new Set(["failed", "rolled_back", "cancelled", "inconsistent"]);

/** *tell* hears {text, bad, link} again and again until it has ended. Rejects with the problem when it is refused. */
export async function deployAndFollow(client, compileId, tell) {
  const { body } = await client.ask("deploy.execute", { body: { compile_id: compileId } });
  const link = `/deployments#${body.deploy_id}`;
  const heard = ({ state }) => tell({ text: t("Deployment: {state}.", { state: STATES[state] ?? state }), bad: SADLY.has(state), link });
  heard(body);
  client.subscribe(`deploy/${body.deploy_id}`, { onSnapshot: heard, onEvents: (events) => events.filter(({ state }) => state).forEach(heard) });
}

/** What was told last. The link comes first: it stays where it is while the words behind it change. */
export const Told = ({ note }) => html`
  <p class="note ${note?.bad ? "bad" : ""}" role=${note?.bad ? "alert" : "status"}>${note?.link && html`<a href=${note.link}>${t("Watch it")}</a> · `}${note?.text ?? ""}</p>`;
