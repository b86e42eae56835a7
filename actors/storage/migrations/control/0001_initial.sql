-- Topology: the parts as they are now, and every change that led here. A channel position is epoch:revision.
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE part (kind TEXT NOT NULL, id TEXT NOT NULL, position INTEGER NOT NULL, revision INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (kind, id)) WITHOUT ROWID;
CREATE TABLE topology_change (revision INTEGER PRIMARY KEY, at REAL NOT NULL, author TEXT NOT NULL, summary TEXT NOT NULL, event TEXT NOT NULL);

-- Accounts.
CREATE TABLE account (
    id TEXT PRIMARY KEY, username TEXT NOT NULL UNIQUE COLLATE NOCASE, password TEXT NOT NULL, role TEXT NOT NULL, created_at REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE revoked_token (jti TEXT PRIMARY KEY, expires_at REAL NOT NULL) WITHOUT ROWID;

-- Intents: one row for each source compiled.
CREATE TABLE compilation (
    id TEXT PRIMARY KEY, at REAL NOT NULL, author TEXT NOT NULL, name TEXT, source TEXT NOT NULL, ok INTEGER NOT NULL,
    topology_revision INTEGER NOT NULL, body TEXT NOT NULL
);
CREATE INDEX compilation_at ON compilation (at);

-- Deployments: the journal. A row without `decided` and without `ended_at` is undone when the hub starts, one with `decided` is confirmed.
CREATE TABLE deployment (
    id TEXT PRIMARY KEY, epoch TEXT NOT NULL, compile_id TEXT, rolls_back TEXT, author TEXT NOT NULL, started_at REAL NOT NULL,
    plan TEXT NOT NULL, decided INTEGER NOT NULL DEFAULT 0, ended_at REAL, state TEXT NOT NULL, progress TEXT NOT NULL
);
CREATE INDEX deployment_started ON deployment (started_at);
CREATE TABLE deploy_event (
    deployment TEXT NOT NULL REFERENCES deployment (id), seq INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (deployment, seq)
) WITHOUT ROWID;
