"""Job files: bytes from where they lie, rows from bytes, jobs from rows."""

from provisioner.ports import Source
from provisioner.settings import InputSettings
from provisioner.source.job_file import JobFile

__all__ = ["open_source"]


def open_source(settings: InputSettings) -> Source:
    """Open a job file; its digest is known at once, its rows are read as they are asked for.

    Raises:
        InputMissingError: it does not exist or cannot be opened.
        InputRefusedError: its extension does not tell the format. Later, from `rows`: it has no
            usable header.
        ConfigurationError: an unknown format or encoding, or a default no row could use.
    """
    return JobFile(settings)
