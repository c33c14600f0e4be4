"""Provision thousands of Amazon Chime SDK proxy sessions, each exactly once."""
