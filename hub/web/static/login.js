// The sign-in form. A session that has only run out is renewed without asking.

import { offerLanguages, t } from "./i18n.js";
import { Session } from "./paranet-client.js";
import { forget, remember, remembered } from "./remember.js";

const form = document.getElementById("login");
const problem = document.getElementById("problem");
const button = form.querySelector("button");
const { username, password } = form.elements;

const REFUSALS = {
  unauthenticated: t("The user name or the password is wrong."),
  "too-many-requests": t("Too many attempts. Wait a moment, then try again."),
};

function busy(is) {
  button.disabled = is;
  button.textContent = is ? t("Signing in…") : t("Sign in");
  form.setAttribute("aria-busy", String(is));
}

function refuse(text, field) {
  problem.textContent = text;
  for (const input of [username, password]) input.setAttribute("aria-invalid", String(input === field));
  field?.focus();
  field?.select();
}

async function signIn() {
  const body = JSON.stringify({ username: username.value.trim(), password: password.value });
  let response;
  try {
    response = await fetch("/api/v1/auth/login", { method: "POST", headers: { "Content-Type": "application/json" }, body });
  } catch {
    return refuse(t("The hub cannot be reached. Try again in a moment."));
  }
  const { code, detail, title } = await response.json().catch(() => ({})); // read to its end: leaving the page would abort it
  if (response.ok) {
    remember();
    location.assign("/");
    return;
  }
  refuse(REFUSALS[code] ?? detail ?? title ?? t("The hub answered {status}.", { status: response.status }), response.status < 500 ? password : undefined);
}

offerLanguages();
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (button.disabled) return;
  const missing = [username, password].find((input) => !input.value);
  if (missing) return refuse(missing === username ? t("Please enter your name.") : t("Please enter your password."), missing);
  problem.textContent = "";
  busy(true);
  try {
    await signIn();
  } finally {
    busy(false);
  }
});

if (remembered()) {
  busy(true);
  try {
    await new Session().renew();
    location.replace("/");
  } catch {
    forget();
    busy(false);
    username.focus();
  }
}
