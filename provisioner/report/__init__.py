"""Folds over the ledger and the events: result files, summary, progress, logs."""
