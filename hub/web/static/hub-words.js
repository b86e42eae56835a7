// What the hub says in English of itself, in the page's language: names of checks, states of deployments, and what these tell on their way.

import { t } from "./i18n.js";

/** Names of checks, as in docs/verifier.md. */
export const CHECKS = {
  blackhole: t("black hole"),
  "wrong-end": t("wrong end"),
  reachability: t("reachability"),
  waypoint: t("waypoint"),
  avoidance: t("avoidance"),
  width: t("width"),
  latency: t("latency"),
  backup: t("backup"),
  blocked: t("blocked"),
  isolation: t("isolation"),
  shadowed: t("shadowed"),
  loop: t("loop"),
  multicast: t("multicast"),
  producer: t("producer"),
  name: t("name"),
  face: t("face"),
  strategy: t("strategy"),
  cache: t("cache"),
  polygon: t("polygon"),
  progress: t("progress"),
  region: t("region"),
  pipeline: t("pipeline"),
  entry: t("entry"),
  size: t("size"),
  port: t("port"),
  modality: t("modality"),
  reservation: t("reservation"),
  contradiction: t("contradiction"),
  ownership: t("ownership"),
};

/** States of a deployment. */
export const STATES = {
  queued: t("queued"),
  planned: t("planned"),
  validating: t("validating"),
  staging: t("staging"),
  committing: t("committing"),
  gating: t("gating"),
  confirming: t("confirming"),
  succeeded: t("succeeded"),
  cancelling: t("cancelling"),
  rolling_back: t("rolling back"),
  rolled_back: t("rolled back"),
  cancelled: t("cancelled"),
  failed: t("failed"),
};

/** What deployments, gates, devices and notices say on the way. Narrow ones stand before wide ones. */
const SENTENCES = [
  "done",
  "cancelled",
  "validate",
  "stage",
  "commit",
  "confirm",
  "undo",
  "devices to change: {count}",
  "waits for {others}",
  "its devices were not free within {seconds} s",
  "its turn came and it cannot be done: {why}",
  "the wave reads back as it should; looking at what it does",
  "decided: every device keeps the change",
  "the hub stopped before this was decided",
  "the hub was restarted while this was queued",
  "the hub was restarted",
  "{reason}; not certain: {nodes}",
  "a probe failed: packets of {intent} {what}",
  "a probe failed: {what}",
  "to {prefix} are dropped at {node}: {cause}",
  "the probes are inconclusive: {why}",
  "throughput fell: flow {flow} delivers {now} of what it offers, it was {was}",
  "throughput is inconclusive: no figures of flow {flow}",
  "{flow} and {count} more",
  "gate {finding}",
  "{condition} does not hold: it was {value}",
  "{condition} is inconclusive: there is no figure",
  "{phase} failed on {node}: {why}",
  "its rows changed since the plan was made",
  "its rows were changed by somebody else after they were staged",
  "what it reads back is not what was committed",
  "its rows are not what was decided",
  "its rows are not what they were before",
  "{node} is no longer leased to this deployment (token {token}, {holder} holds it)",
  "{node} did not answer within {seconds} s",
  "{actor} did not answer {step} in time",
  "{node} did not answer {step}",
  "{node} refused to {step}",
  "{node} is unreachable: there is no namespace {namespace}",
  "{node} is unreachable",
  "not connected",
  "held by deployment {id}",
  "there is no actor {actor}",
  "the connection was lost",
  "there is no session",
  "nothing is staged",
  "an earlier commit still waits to be confirmed",
  "the commit was not confirmed in time and is undone",
  "the rows are not those the change was made for",
  "{row}: the installed row is not the one the change expects",
  "the kernel refused: {cause}",
  "told already",
  "inhibited by {alert}",
  "silenced by {silences}",
  "acknowledged by {user}",
  "flapping",
  "no receiver is set up",
  "nobody was told that it fired",
  "it was not told that it fired",
  "overtaken by what came of it since",
  "{node}: {why}",
].map((text) => [
  new RegExp(`^${text.replace(/[.()]/g, "\\$&").replace(/\{(\w+)\}/g, (_, hole) => `(?<${hole}>${hole === "node" ? "\\S" : "."}+?)`)}$`, "s"),
  text,
]);
const NESTED = new Set(["why", "what", "reason", "finding", "phase", "step", "flow"]); // holes that may hold such a sentence

/** Such a sentence in the page's language; names, figures and what nobody foresaw stay as they are. */
export function inWords(message) {
  for (const [pattern, text] of message ? SENTENCES : []) {
    const found = pattern.exec(message);
    if (found) return t(text, Object.fromEntries(Object.entries(found.groups ?? {}).map(([hole, part]) => [hole, NESTED.has(hole) ? inWords(part) : part])));
  }
  return message;
}

/**
 * What an error or a finding in a source says. Where the page is not English the meaning of its code (docs/errors.md, docs/language.md) stands
 * before the hub's own words.
 */
export function coded({ code = "", message }) {
  const kind = t(`${code}`);
  const text = code === "" || code === "device-error" ? inWords(message) : message;
  return kind === `${code}` ? text : t("{what}: {reason}", { what: kind, reason: text });
}
