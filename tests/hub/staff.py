"""Three accounts, one of each role, written before the house opens."""

import asyncio
from pathlib import Path

import argon2

from actors.storage import Database

PASSWORD = "correct horse battery"
ROLES = ("viewer", "operator", "admin")
HASHER = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""weak and fast: the hub reads the costs from the hash"""


async def hire(data_dir: Path) -> None:
    """Make an account for every role, named like it."""
    await asyncio.to_thread(data_dir.mkdir, mode=0o700, parents=True, exist_ok=True)
    database = await Database.open(data_dir / "control.sqlite3", "control")
    try:
        async with database.transaction() as tx:
            await tx.execute_many(
                "INSERT INTO account (id, username, password, role, created_at) VALUES (?, ?, ?, ?, 0)",
                [(f"id-of-{role}", role, HASHER.hash(PASSWORD), role) for role in ROLES],
            )
    finally:
        await database.close()
