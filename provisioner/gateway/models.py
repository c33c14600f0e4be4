"""botocore's data files, read without two detours that every start pays for."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from typing import Any

from aiobotocore.session import AioSession
from botocore.loaders import JSONFileLoader, Loader

_WAYS: dict[str, Callable[..., Any]] = {".json": open, ".json.gz": gzip.open}


class _Files(JSONFileLoader):  # type: ignore[misc]  # botocore is untyped
    """Any dictionary keeps its order: botocore's own loader makes ordered ones, at thrice the time.

    Raises:
        ValueError: a file is no JSON.
    """

    def load_file(self, file_path: str) -> Any:  # noqa: ANN401  # JSON
        """As the base class: the data, None where there is no such file."""
        for extension, opened in _WAYS.items():
            if os.path.isfile(file_path + extension):  # noqa: PTH113  # botocore's paths are text
                with opened(file_path + extension, "rb") as file:
                    return json.loads(file.read())
        return None


class ModelLoader(Loader):  # type: ignore[misc]  # botocore is untyped
    """Finds what botocore's own finds, `AWS_DATA_PATH` and `~/.aws/models` included."""

    def list_available_services(self, _: str) -> list[str]:
        """Every service there is a folder of, without a look into each of the 400."""
        folders = filter(os.path.isdir, self.search_paths)
        return sorted({name for folder in folders for name in os.listdir(folder)})  # noqa: PTH208


def find_models_fast(session: AioSession) -> None:
    """Let a session load its data by a `ModelLoader` from where it would anyway."""
    usual = session.get_component("data_loader")
    session.register_component(
        "data_loader",
        ModelLoader(usual.search_paths, file_loader=_Files(), include_default_search_paths=False),
    )
