"""The service's state machine and its faces, for demonstrations, tests and benchmarks."""
