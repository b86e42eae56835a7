"""SQLite through aiosqlite: one file, one writer, numbered migrations."""

from actors.storage.database import Database, Transaction

__all__ = ["Database", "Transaction"]
