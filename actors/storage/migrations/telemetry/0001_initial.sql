-- A series is a metric with its labels; a chunk holds n samples of one series from t0 to t1 (UNIX ms), coded as `codec` says.
CREATE TABLE series (id INTEGER PRIMARY KEY, metric TEXT NOT NULL, labels TEXT NOT NULL, UNIQUE (metric, labels));
CREATE TABLE chunk (
    id INTEGER PRIMARY KEY, series INTEGER NOT NULL REFERENCES series (id), t0 INTEGER NOT NULL, t1 INTEGER NOT NULL, n INTEGER NOT NULL,
    codec INTEGER NOT NULL, crc INTEGER NOT NULL, blob BLOB NOT NULL
);
CREATE UNIQUE INDEX chunk_series_t0 ON chunk (series, t0);
CREATE INDEX chunk_t1 ON chunk (t1);
