-- Sessions: the refresh tokens of one sign-in are a family, of which `current` is the only good one. Tokens of machines by digest.
CREATE TABLE session (
    id TEXT PRIMARY KEY, user_id TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE, current TEXT NOT NULL, created_at REAL NOT NULL,
    expires_at REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX session_user ON session (user_id);
CREATE TABLE api_token (
    id TEXT PRIMARY KEY, user_id TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE, name TEXT NOT NULL, scopes TEXT NOT NULL,
    digest TEXT NOT NULL UNIQUE, created_at REAL NOT NULL, expires_at REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX api_token_user ON api_token (user_id);
