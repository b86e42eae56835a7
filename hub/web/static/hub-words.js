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

const SENTENCES = {
  done: t("done"),
  cancelled: t("cancelled"),
  "decided: every device keeps the change": t("decided: every device keeps the change"),
  "the wave reads back as it should; looking at what it does": t("the wave reads back as it should; looking at what it does"),
  "the hub stopped before this was decided": t("the hub stopped before this was decided"),
  "the hub was restarted while this was queued": t("the hub was restarted while this was queued"),
};

/** A deployment's message; what names devices, figures or errors stays as it is. */
export function inWords(message) {
  const count = /^devices to change: (\d+)$/.exec(message)?.[1];
  if (count) return t("devices to change: {count}", { count });
  const others = /^waits for ([0-9a-f, -]+)$/.exec(message)?.[1];
  if (others) return t("waits for {others}", { others });
  const time = /^its devices were not free within (\d+ s)$/.exec(message)?.[1];
  if (time) return t("its devices were not free within {time}", { time });
  return SENTENCES[message] ?? message;
}
