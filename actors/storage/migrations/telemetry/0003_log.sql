-- The system log: what the hub said, and about whom where it is known.
CREATE TABLE log (
    id INTEGER PRIMARY KEY, at REAL NOT NULL, level INTEGER NOT NULL, logger TEXT NOT NULL, message TEXT NOT NULL, actor TEXT, node TEXT,
    deployment TEXT, body TEXT NOT NULL
);
CREATE INDEX log_at ON log (at);
