"""Time series: identity, chunk codec, rollups, and the PromQL engine. Pure: no I/O, no clock."""
