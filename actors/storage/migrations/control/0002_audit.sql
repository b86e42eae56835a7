-- What operators did to the hub itself, and to whom; outcome is `ok` or the code of the refusal.
CREATE TABLE audit (
    id INTEGER PRIMARY KEY, at REAL NOT NULL, author TEXT NOT NULL, remote TEXT NOT NULL, action TEXT NOT NULL, target TEXT NOT NULL,
    outcome TEXT NOT NULL
);
