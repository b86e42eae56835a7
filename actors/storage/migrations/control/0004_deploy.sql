-- Deployments: a fencing token each, higher than all before it; NULL for those from before there were any.
ALTER TABLE deployment ADD COLUMN token INTEGER;

-- What a client asked for under a key of its own, so that asking again gives the same deployment.
CREATE TABLE deploy_key (
    author TEXT NOT NULL, key TEXT NOT NULL, request TEXT NOT NULL, deployment TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (author, key)
) WITHOUT ROWID;

-- What the hub has had installed: devices that show something else have drifted.
CREATE TABLE expected (
    node TEXT NOT NULL, family TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (node, family, key)
) WITHOUT ROWID;
