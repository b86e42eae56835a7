"""The WebSocket door: sockets are mailboxes into session actors, channels push into their outboxes. docs/protocol.md tells all frames."""
