// Figures as operators read them.

import { t } from "./i18n.js";

const PREFIXES = ["", "k", "M", "G", "T", "P"];
const TIME = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

export const NONE = "–";

const given = (value) => typeof value === "number" && Number.isFinite(value);

/** 1234567 bit/s -> "1.23 Mbit/s": three digits that mean something. */
export function scaled(value, unit) {
  if (!given(value)) return NONE;
  let power = 0;
  while (Math.abs(value) >= 999.5 && power < PREFIXES.length - 1) {
    value /= 1000;
    power += 1;
  }
  const digits = power === 0 && Number.isInteger(value) ? 0 : value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return `${value.toFixed(digits)} ${PREFIXES[power]}${unit}`;
}

export const bitrate = (value) => scaled(value, "bit/s");
/** A round nominal figure: 10 Gbit/s, 2.5 Gbit/s. */
export const capacity = (value) => bitrate(value).replace(/\.?0+ /, (zeros) => (zeros.startsWith(".") ? " " : zeros));
export const packets = (value) => (given(value) ? scaled(Math.round(value * 100) / 100, "pkt/s") : NONE);
export const percent = (ratio) => (given(ratio) ? `${(ratio * 100).toFixed(ratio !== 0 && ratio < 0.0995 ? 1 : 0)} %` : NONE);
export const milliseconds = (seconds) => (given(seconds) ? `${(seconds * 1000).toFixed(seconds < 0.0995 ? 2 : 0)} ms` : NONE);

/** A length of time in its one unit. */
export function duration(seconds) {
  if (!given(seconds)) return NONE;
  if (seconds > 0 && seconds < 0.095) return milliseconds(seconds);
  if (seconds < 120) return t("{count} s", { count: seconds.toFixed(seconds < 9.95 ? 1 : 0) });
  if (seconds < 7200) return t("{count} min", { count: (seconds / 60).toFixed(0) });
  return seconds < 172_800 ? t("{count} h", { count: (seconds / 3600).toFixed(0) }) : t("{count} d", { count: (seconds / 86_400).toFixed(0) });
}

export const clock = (ms) => (given(ms) ? TIME.format(ms) : NONE);

export function coordinates({ latitude, longitude }) {
  const [north, east] = [latitude, longitude].map((value) => ({ degrees: Math.abs(value).toFixed(2) }));
  return [latitude < 0 ? t("{degrees}° S", north) : t("{degrees}° N", north), longitude < 0 ? t("{degrees}° W", east) : t("{degrees}° E", east)].join(", ");
}
