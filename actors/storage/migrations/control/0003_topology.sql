-- Now and then the whole topology, so that an old revision is a short way from one that can be read at once.
CREATE TABLE topology_snapshot (revision INTEGER PRIMARY KEY, body TEXT NOT NULL);
