"""Job files: bytes from where they lie, rows from bytes, jobs from rows."""
