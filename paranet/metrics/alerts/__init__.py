"""Alert rules and what becomes of them: pure, time comes in as UNIX s."""
