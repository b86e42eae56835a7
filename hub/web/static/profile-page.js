// One's own profile: password, tokens for machines, language and theme, all sessions ended.

import { html, useState } from "htm/preact";
import { language, speak, t } from "./i18n.js";
import { ROLES, shell, show } from "./people.js";
import { chosenTheme, THEMES, wear } from "./shell.js";
import { Table } from "./table.js";
import { Moment, Note, Problem, TwoStep, useAct, useAsked } from "./watch-parts.js";

const LANGUAGES = { en: "English", zh: "中文" };
const LASTING = { 86400: t("a day"), 2592000: t("30 days"), 7776000: t("90 days"), 31536000: t("a year") }; // s
const SCOPES = ["read", "topology", "intent", "chat", "deploy", "monitor", "alerts", "lab", "system", "*"];
const SHORTEST = 8; // characters of a password

function Page({ live }) {
  const me = useAsked(shell, "auth.me", {}, { live });
  return html`
    <div class="column" data-ready=${me.body !== null || undefined}>
      <h1>${me.body?.username ?? t("Profile")}</h1>
      <p class="sub">${me.body && t("Role: {role}.", { role: ROLES[me.body.role] })} ${shell.role === "admin" && html`<a href="/users">${t("Users")}</a>`}</p>
      <${Problem} error=${me.error} />
      <${Look} />
      <${Password} />
      <${Tokens} live=${live} />
      <${Sessions} />
    </div>`;
}

function Look() {
  const [theme, setTheme] = useState(chosenTheme());
  return html`
    <section aria-labelledby="look">
      <h2 id="look">${t("Language and theme")}</h2>
      <fieldset><legend>${t("Language")}</legend>
        ${Object.entries(LANGUAGES).map(([code, name]) => html`<label key=${code} class="inline" lang=${code}><input type="radio" name="language" checked=${code === language} onChange=${() => speak(code)} /> ${name}</label>`)}
      </fieldset>
      <fieldset><legend>${t("Theme")}</legend>
        ${Object.entries(THEMES).map(([name, { text }]) => html`<label key=${name} class="inline"><input type="radio" name="theme" checked=${name === theme} onChange=${() => (wear(name), setTheme(name))} /> ${text}</label>`)}
      </fieldset>
    </section>`;
}

function Password() {
  const [note, act, setNote] = useAct(shell, "password");
  const onSubmit = (event) => {
    event.preventDefault();
    const form = event.currentTarget;
    const { now, next, again } = form.elements;
    if (next.value !== again.value) return setNote({ error: new Error(t("The two new passwords differ.")) });
    act("auth.password", { body: { old_password: now.value, new_password: next.value } }, t("Changed. Your other sessions have ended."), () => form.reset());
  };
  const field = (name, text, complete) => html`<label>${text}<input name=${name} type="password" required minlength=${name === "now" ? 1 : SHORTEST} maxlength="1024" autocomplete=${complete} /></label>`;
  return html`
    <section aria-labelledby="password">
      <h2 id="password">${t("Password")}</h2>
      <form class="line" onSubmit=${onSubmit}>
        ${field("now", t("Password now"), "current-password")}${field("next", t("New password"), "new-password")}${field("again", t("New password again"), "new-password")}
        <button class="primary">${t("Change password")}</button>
      </form>
      <${Note} note=${note} />
    </section>`;
}

function Tokens({ live }) {
  const { body, error, again } = useAsked(shell, "auth.tokens.list", {}, { live });
  const [note, act] = useAct(shell, "tokens");
  const [made, setMade] = useState(null);
  const [scopes, setScopes] = useState(["read"]);
  const onSubmit = (event) => {
    event.preventDefault();
    const form = event.currentTarget;
    const { name, lasting } = form.elements;
    act("auth.tokens.add", { body: { name: name.value.trim(), scopes, expires_in: Number(lasting.value) } }, t("Made."), (token) => (setMade(token), form.reset(), again()));
  };
  const flip = (scope) => setScopes(scopes.includes(scope) ? scopes.filter((other) => other !== scope) : [...scopes, scope]);
  return html`
    <section aria-labelledby="tokens">
      <h2 id="tokens">${t("Tokens for machines")}</h2>
      <p class="sub">${t("A token acts as you, within its scopes, until it expires. It is shown once.")}</p>
      <${Problem} error=${error} />
      ${body === null && !error && html`<p class="loading">${t("Asking…")}</p>`}
      ${body &&
      html`<${Table} label=${t("Tokens for machines")} none=${t("You have none.")} keys=${body.items.map(({ id }) => id)} head=${[t("Name"), t("Scopes"), t("Made"), t("Expires"), ""]}
        rows=${body.items.map((token) => [
          token.name,
          token.scopes.join(", "),
          html`<${Moment} at=${token.created_at} />`,
          html`<${Moment} at=${token.expires_at} />`,
          html`<${TwoStep} text=${t("Remove")} confirm=${t("Confirm remove")} title=${t("Remove {name}", token)} onAct=${() => act("auth.tokens.remove", { id: token.id }, t("Removed."), again)} />`,
        ])} />`}
      <form class="line" onSubmit=${onSubmit}>
        <label>${t("Token name")}<input name="name" required maxlength="128" autocomplete="off" /></label>
        <label>${t("Good for")}<select name="lasting">${Object.entries(LASTING).map(([seconds, text]) => html`<option key=${seconds} value=${seconds} defaultSelected=${seconds === "2592000"}>${text}</option>`)}</select></label>
        <button class="primary" disabled=${scopes.length === 0}>${t("Make a token")}</button>
        <fieldset><legend>${t("Scopes")}</legend>
          ${SCOPES.map((scope) => html`<label key=${scope} class="inline"><input type="checkbox" checked=${scopes.includes(scope)} onChange=${() => flip(scope)} /> <code>${scope}</code></label>`)}
        </fieldset>
      </form>
      ${made && html`<p class="secret" role="status">${t("Copy it now:")} <code>${made.token}</code></p>`}
      <${Note} note=${note} />
    </section>`;
}

function Sessions() {
  const [note, setNote] = useState(null);
  const end = async () => {
    const answer = await fetch("/api/v1/auth/logout?everywhere=true", { method: "POST", credentials: "same-origin" }).catch(() => null);
    if (answer?.ok) location.assign("/login");
    else setNote({ error: new Error(t("The hub cannot be reached. Try again in a moment.")) });
  };
  return html`
    <section aria-labelledby="sessions">
      <h2 id="sessions">${t("Sessions")}</h2>
      <p class="sub">${t("Sign out here and on every other device.")}</p>
      <div class="actions"><${TwoStep} text=${t("Sign out everywhere")} confirm=${t("Confirm sign out everywhere")} onAct=${end} /></div>
      <${Note} note=${note} />
    </section>`;
}

show(Page);
