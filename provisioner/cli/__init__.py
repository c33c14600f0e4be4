"""The command line: parsing, wiring, exit codes."""


def main() -> None:
    """Run the command line."""
