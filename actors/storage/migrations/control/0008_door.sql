-- Requests with an Idempotency-Key by user and key: a keyed digest of what was asked, and the answer once there is one that may be kept.
CREATE TABLE answer (
    id INTEGER PRIMARY KEY, user TEXT NOT NULL, key TEXT NOT NULL, request TEXT NOT NULL, at REAL NOT NULL,
    status INTEGER, head TEXT NOT NULL DEFAULT '{}', body BLOB, UNIQUE (user, key)
);
CREATE INDEX answer_at ON answer (at);
-- What was refused at the door is told apart from what was done: of refusals only the newest are kept.
ALTER TABLE audit ADD COLUMN refused INTEGER NOT NULL DEFAULT 0;
CREATE INDEX audit_refused ON audit (id) WHERE refused;
