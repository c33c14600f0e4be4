"""Running a campaign from the terminal: signals, talk on stderr, data on stdout."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from secrets import randbits
from typing import Any

import anyio
import click
import msgspec

from provisioner.cli.finishing import tell_error, tell_result, words
from provisioner.cli.pulse import Pulse
from provisioner.cli.seclusion import secluded
from provisioner.cli.settings import named, refuse_own_results, run_settings
from provisioner.cli.speech import say, show, tell
from provisioner.cli.talk import Talk
from provisioner.clock import SystemClock
from provisioner.emulator.child import start_child
from provisioner.emulator.faults import parse_faults
from provisioner.emulator.numbers import COUNTRIES
from provisioner.emulator.settings import EmulatorSettings
from provisioner.errors import TooManyRowsError, UsageError, ungrouped
from provisioner.report import render_summary, summary_json
from provisioner.run import Result, provision
from provisioner.settings import Settings

_COLLECTIONS = (10_000, 20, 100)
"""Thresholds of the garbage collector. Calls leave hardly a cycle behind, but each makes many
objects: by Python's own thresholds a tenth of the CPU goes into looking at them."""

_SEED_BITS = 32
_NUMBERS_A_COUNTRY = 400
"""Proxy numbers: all the emulator has, so that many jobs may share a participant."""


def execute(jobs: str | None, options: dict[str, Any]) -> int:
    """Run, tell, and return the exit code."""
    on_finish, campaign = words(options["on_finish"]), named(jobs, options)
    try:
        result = _result(jobs, options)
    except Exception as error:
        tell_error(on_finish, error, campaign)
        raise
    if result.error is not None:
        say(str(result.error), result.error.hint)
    if options["json"]:
        show(summary_json(result.summary))
    else:
        show(render_summary(result.summary), newline=False)
    tell_result(on_finish, result)
    return result.exit_code


def _result(jobs: str | None, options: dict[str, Any]) -> Result:
    settings = run_settings(jobs, options)
    refuse_own_results(settings, options["heartbeat"])
    with _service(settings, options) as settings, _rare_collections():
        try:
            return _run(settings, options)
        except TooManyRowsError as refused:
            if not _agreed(refused):
                raise
        return _run(msgspec.structs.replace(settings, max_rows=None), options)


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Spare what start-up has loaded, and what calls make, most looks of the collector."""
    usual = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(*_COLLECTIONS)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


def _run(settings: Settings, options: dict[str, Any]) -> Result:
    return anyio.run(
        _until_done_or_told,
        settings,
        options,
        backend_options={"use_uvloop": find_spec("uvloop") is not None},
    )


def _agreed(refused: TooManyRowsError) -> bool:
    """Whether somebody is there to ask, and says yes."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    tell(str(refused))
    try:
        return click.confirm("Send them all?", err=True)
    except click.Abort:
        tell("")  # the prompt's line is still open
        raise


@contextmanager
def _service(settings: Settings, options: dict[str, Any]) -> Iterator[Settings]:
    """The settings, with the endpoint of an emulator that lives as long as the block if asked."""
    service = settings.service
    if not options["emulate"]:
        if options["faults"]:
            raise UsageError("--faults needs --emulate", hint="the real service has its own")
        yield settings
        return
    if service.endpoint_url is not None:
        raise UsageError("--emulate and --endpoint-url contradict each other", hint="drop one")
    faults = parse_faults(options["faults"])
    emulated = EmulatorSettings(
        seed=randbits(_SEED_BITS),  # the next run's service must not give the same ids again
        faults=faults,
        any_connector=True,
        countries=COUNTRIES,
        pool_size=_NUMBERS_A_COUNTRY,
    )
    with secluded(), start_child(emulated) as url:
        service = msgspec.structs.replace(service, endpoint_url=url, profile=None)
        yield msgspec.structs.replace(settings, service=service)


async def _until_done_or_told(settings: Settings, options: dict[str, Any]) -> Result:
    stop = anyio.Event()
    name = settings.input.path if settings.input is not None else ""
    talk = Talk(name, options)
    pulse = Pulse(options["heartbeat"], talk.tally, SystemClock())
    with talk, pulse, ungrouped():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_listen_for_signals, stop)
            tasks.start_soon(talk.keep_fresh)
            tasks.start_soon(pulse.keep)
            result = await provision(
                settings,
                on_event=talk.on_event,
                on_problem=talk.on_problem,
                stop=stop,
                tally=talk.tally,
            )
            tasks.cancel_scope.cancel()
            pulse.exit_code = result.exit_code
    return result


async def _listen_for_signals(stop: anyio.Event) -> None:
    """The first of our signals drains; the second ends the process where it stands."""
    with anyio.open_signal_receiver(*_signals()) as signals:
        async for number in signals:
            if stop.is_set():
                tell("stopped at once; the same command resumes")
                os._exit(128 + number)
            stop.set()
            tell("stopping: calls in flight finish and are recorded; once more stops at once")


def _signals() -> list[signal.Signals]:
    # Under nohup the hangup is ignored, and has to stay so.
    hangup = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN
    return [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hangup else [])]
