-- Conversations with the assistant, and what was said in them; body is the rest of an answer (source, proposal, needs) as JSON.
CREATE TABLE chat (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, title TEXT NOT NULL, created_at REAL NOT NULL, updated_at REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX chat_owner ON chat (owner, id);
CREATE TABLE chat_message (
    chat TEXT NOT NULL REFERENCES chat (id) ON DELETE CASCADE, seq INTEGER NOT NULL, at REAL NOT NULL, author TEXT NOT NULL,
    text TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (chat, seq)
) WITHOUT ROWID;
