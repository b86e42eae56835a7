// Whether this browser has signed in before. Tokens are in HttpOnly cookies that no script sees; this is only the hint that
// asking for a renewal is worth a try, so that a first visit makes no request that has to fail.

const KEY = "paranet-signed-in";

export function remember() {
  attempt(() => localStorage.setItem(KEY, "yes"));
}

export function forget() {
  attempt(() => localStorage.removeItem(KEY));
}

export function remembered() {
  return attempt(() => localStorage.getItem(KEY)) === "yes";
}

/** Browsers may forbid storage; then nothing is remembered. */
function attempt(action) {
  try {
    return action();
  } catch {
    return null;
  }
}
