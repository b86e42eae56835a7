"""PromQL: parsed by promql-parser, evaluated with numpy over a source of samples."""
