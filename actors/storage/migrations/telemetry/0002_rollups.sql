-- Rollups: n buckets of `tier` ms; t0 is the first sample of the chunk they are made of, t1 the end of the last bucket. Journal: what arrived in one second and is in no chunk yet.
CREATE TABLE rollup (
    id INTEGER PRIMARY KEY, series INTEGER NOT NULL REFERENCES series (id), tier INTEGER NOT NULL, t0 INTEGER NOT NULL, t1 INTEGER NOT NULL,
    n INTEGER NOT NULL, crc INTEGER NOT NULL, blob BLOB NOT NULL
);
CREATE UNIQUE INDEX rollup_series_t0 ON rollup (series, tier, t0);
CREATE INDEX rollup_t1 ON rollup (t1);
CREATE TABLE journal (id INTEGER PRIMARY KEY, n INTEGER NOT NULL, crc INTEGER NOT NULL, blob BLOB NOT NULL);
