// A person deploys what was compiled and proven; the page tells how far it is.

import { html } from "htm/preact";
import { STATES } from "./hub-words.js";
import { t } from "./i18n.js";

const ENDINGS = { succeeded: false, failed: true, rolled_back: true, cancelled: true }; // state: whether that is sad

/**
 * *tell* hears {text, bad, link} again and again until it has ended. *following* is a ref whose `current` ends what is followed there: a place
 * tells of the newest deployment only, whatever becomes of those before, and of none once it is *left*. Rejects with the problem when it is refused.
 */
export async function deployAndFollow(client, compileId, tell, following) {
  following.current?.();
  const { body } = await client.ask("deploy.execute", { body: { compile_id: compileId } });
  if (following.left) return;
  const link = `/deployments#${body.deploy_id}`;
  const heard = ({ state }) => {
    tell({ text: t("Deployment: {state}.", { state: STATES[state] ?? state }), bad: ENDINGS[state] ?? false, link });
    if (state in ENDINGS) following.current?.();
  };
  heard(body);
  following.current?.(); // that of a press in the meantime
  following.current = client.subscribe(`deploy/${body.deploy_id}`, { onSnapshot: heard, onEvents: (events) => events.filter(({ state }) => state).forEach(heard) });
}

/** What was told last. The link comes first: it stays where it is while the words behind it change. */
export const Told = ({ note }) => html`
  <p class="note ${note?.bad ? "bad" : ""}" role=${note?.bad ? "alert" : "status"}>${note?.link && html`<a href=${note.link}>${t("Watch it")}</a> · `}${note?.text ?? ""}</p>`;
