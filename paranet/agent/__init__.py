"""The assistant: sentences in English and Chinese to the intent language, offline, and better with a language model."""
