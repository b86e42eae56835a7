"""The actor runtime: every promise of docs/actors.md and every fault it must survive."""
