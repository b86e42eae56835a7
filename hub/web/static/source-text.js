// The intent language as text: what to colour, where a finding lies, what may stand at the cursor. Pure functions (docs/language.md).

const LONGEST = 60_000; // characters up to which a source is coloured

const MATCH = ["from", "to", "protocol", "port", "source_port", "app"];
const PLACE = ["at", "when"];
const STATEMENTS = {
  route: ["from", "to", "protocol", "avoid", "via", "bandwidth", "latency", "ecmp", "backup", "strategy", "producer"],
  acl: ["deny", "permit", "seq", ...PLACE, ...MATCH],
  qos: ["match", "rate", "burst", "dscp", "priority", ...PLACE, ...MATCH],
  cache: ["at", "prefix", "capacity", "policy", "ttl"],
  region: ["polygon"],
  multicast: ["group", "from", "members", "protocol", "avoid", "bandwidth"],
  group: ["nodes"],
  policy: ["match", "action", "seq", ...PLACE, ...MATCH],
  network: [],
  node: ["name", "type", "address", "interfaces", "modalities", "location", "region", "management"],
  link: ["endpoints", "bandwidth", "latency", "loss", "mtu", "cost", "enabled", "directed"],
};
const VALUES = {
  protocol: ["ip", "ndn", "geo", "p4", "tcp", "udp", "icmp"],
  backup: ["disjoint", "none"],
  strategy: ["best-route", "multicast", "asf", "random"],
  policy: ["lru", "lfu", "fifo", "priority-fifo"],
  app: ["ssh", "http", "https", "dns", "video", "voice"],
};
const TOKEN = new RegExp(
  [
    String.raw`(?<comment>//[^\n]*|/\*[\s\S]*?(?:\*/|$))`,
    String.raw`(?<string>"(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?)`,
    String.raw`(?<key>[A-Za-z_]\w*)(?=[ \t]*:)`,
    String.raw`(?<number>-?\d[\w.:/%-]*)`,
    String.raw`(?<word>[\p{L}\p{N}_.+\-%@/]+)`,
  ].join("|"),
  "gu",
);
const WORD = /[\p{L}\p{N}_.+\-%@/]*$/u;

/** [{start, end, kind}] of what has a colour; kinds are comment, string, key, number and keyword. */
function tokens(source) {
  const found = [];
  for (const match of source.matchAll(TOKEN)) {
    const [kind] = Object.entries(match.groups).find(([, text]) => text !== undefined);
    const keyword = kind === "word" && (match[0] in STATEMENTS || match[0] === "import");
    if (kind !== "word" || keyword) found.push({ start: match.index, end: match.index + match[0].length, kind: keyword ? "keyword" : kind });
  }
  return found;
}

/** The source cut into [{text, kind, severity}], in order; *findings* are {start, end, severity}. */
export function pieces(source, findings) {
  if (source.length > LONGEST) return [{ text: source }];
  const coloured = tokens(source);
  const cuts = new Set([0, source.length]);
  for (const { start, end } of [...coloured, ...findings]) cuts.add(start).add(end);
  const at = [...cuts].filter((offset) => offset <= source.length).sort((a, b) => a - b);
  let next = 0;
  return at.slice(0, -1).map((start, i) => {
    while (next < coloured.length && coloured[next].end <= start) next += 1;
    const kind = coloured[next]?.start <= start ? coloured[next].kind : undefined;
    const severity = findings.find((found) => found.start <= start && start < found.end)?.severity;
    return { text: source.slice(start, at[i + 1]), kind, severity };
  });
}

/** {start, end} of a span (lines and columns from 1, the end exclusive); never empty, or nobody would see it. */
export function offsets(source, span) {
  const lines = source.split("\n");
  const starts = [0];
  for (const line of lines) starts.push(starts.at(-1) + line.length + 1);
  const offset = (line, column) => {
    const row = Math.min(line, lines.length) - 1;
    return Math.min(starts[row] + [...lines[row]].slice(0, column - 1).join("").length, source.length);
  };
  const start = offset(span.line, span.column);
  return { start, end: Math.max(start + 1, offset(span.end_line, span.end_column)) };
}

/** What may stand at the cursor: {word, options}. *names* are those of nodes and links. */
export function completions(source, cursor, names) {
  const before = source.slice(0, cursor);
  const [word] = WORD.exec(before);
  const context = enclosing(before.slice(0, before.length - word.length));
  const all = context.statement === null ? Object.keys(STATEMENTS) : context.key ? [...(VALUES[context.key] ?? []), ...names] : (STATEMENTS[context.statement] ?? []);
  const folded = word.toLowerCase();
  const options = word === "" ? [] : all.filter((name) => name.toLowerCase().startsWith(folded) && name !== word).slice(0, 8);
  return { word, options };
}

/** The statement one is in (null outside of any) and the attribute whose value is being written (null between attributes). */
function enclosing(before) {
  const text = before.replace(/\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:[^"\\\n]|\\.)*"/g, " ");
  const open = [];
  for (const [bracket] of text.matchAll(/[{}]/g)) {
    if (bracket === "{") open.push(true);
    else open.pop();
  }
  if (open.length === 0) return { statement: null, key: null };
  const [, statement] = [...text.matchAll(/(?:^|[\n;}{])\s*([a-z_]+)[^\n{};]*\{/g)].filter(([, name]) => name in STATEMENTS).at(-1) ?? [];
  return { statement: statement ?? "", key: /([A-Za-z_]\w*)\s*:\s*(?:\[[^\]]*)?$/.exec(text)?.[1] ?? null };
}
