"""SQLite through aiosqlite: one file, one writer, numbered migrations."""

from actors.storage.database import Database, Statement, Transaction, for_each, once

__all__ = ["Database", "Statement", "Transaction", "for_each", "once"]
