// The users, for admins: taken in, given a role or a new password, let go.

import { html, useState } from "htm/preact";
import { t } from "./i18n.js";
import { ROLES, shell, show } from "./people.js";
import { Table } from "./table.js";
import { Moment, Note, Problem, TwoStep, useAct, useAsked } from "./watch-parts.js";

const MOST = 1_000; // users that are shown

function Page({ live }) {
  const me = useAsked(shell, "auth.me", {}, { live });
  const { body, error, again } = useAsked(shell, "auth.users.list", { limit: MOST }, { live });
  const [note, act] = useAct(shell, "users");
  const [resetting, reset] = useState(null);
  const items = body?.items ?? [];
  const role = (user) => html`
    <select aria-label=${t("Role of {username}", user)} value=${user.role} disabled=${user.id === me.body?.id}
      onChange=${({ currentTarget }) => act("auth.users.change", { id: user.id, body: { role: currentTarget.value } }, t("{username} has a new role.", user), again)}>
      ${Object.entries(ROLES).map(([name, text]) => html`<option key=${name} value=${name}>${text}</option>`)}
    </select>`;
  const acts = (user) => html`<span class="acts" data-user=${user.username}>
    <button type="button" aria-expanded=${resetting === user.id} title=${t("New password for {username}", user)} onClick=${() => reset(resetting === user.id ? null : user.id)}>${t("New password")}</button>
    ${user.id !== me.body?.id && html`<${TwoStep} text=${t("Remove")} confirm=${t("Confirm remove")} title=${t("Remove {name}", { name: user.username })} onAct=${() => act("auth.users.remove", { id: user.id }, t("{username} is gone.", user), again)} />`}
  </span>`;
  const chosen = items.find(({ id }) => id === resetting);
  return html`
    <div class="column">
      <h1>${t("Users")}</h1>
      <section aria-label=${t("Users")}>
        <${Problem} error=${error} />
        ${body === null && !error && html`<p class="loading">${t("Asking…")}</p>`}
        ${body && html`<${Table} label=${t("Users")} none=${t("There is nobody.")} keys=${items.map(({ id }) => id)} head=${[t("Name"), t("Role"), t("Since"), ""]}
          rows=${items.map((user) => [user.username, role(user), html`<${Moment} at=${user.created_at} />`, acts(user)])} />`}
        ${body?.next && html`<p class="none">${t("The first {count} are shown.", { count: MOST })}</p>`}
        ${chosen && html`<${Reset} key=${chosen.id} user=${chosen} onDone=${(password) => act("auth.users.change", { id: chosen.id, body: { password } }, t("{username} has a new password; every session has ended.", chosen), () => reset(null))} />`}
        <${Note} note=${note} />
      </section>
      <${Add} onAdd=${(user, then) => act("auth.users.add", { body: user }, t("{username} is in.", user), () => (then(), again()))} />
    </div>`;
}

const password = (text) => html`<label>${text}<input name="password" type="password" required minlength="8" maxlength="1024" autocomplete="new-password" /></label>`;

function Reset({ user, onDone }) {
  return html`
    <form class="line" aria-label=${t("New password for {username}", user)} onSubmit=${(event) => (event.preventDefault(), onDone(event.currentTarget.elements.password.value))}>
      ${password(t("New password for {username}", user))}<button class="primary">${t("Set it")}</button>
    </form>`;
}

function Add({ onAdd }) {
  const onSubmit = (event) => {
    event.preventDefault();
    const form = event.currentTarget;
    const { username, role, password: secret } = form.elements;
    onAdd({ username: username.value.trim(), role: role.value, password: secret.value }, () => form.reset());
  };
  return html`
    <section aria-labelledby="add">
      <h2 id="add">${t("Take somebody in")}</h2>
      <form class="line" onSubmit=${onSubmit}>
        <label>${t("User name")}<input name="username" required maxlength="64" autocomplete="off" autocapitalize="none" spellcheck=${false} /></label>
        <label>${t("Role")}<select name="role">${Object.entries(ROLES).map(([name, text]) => html`<option key=${name} value=${name}>${text}</option>`)}</select></label>
        ${password(t("Password"))}
        <button class="primary">${t("Add user")}</button>
      </form>
    </section>`;
}

show(Page);
