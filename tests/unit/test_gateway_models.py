"""botocore's data, found where botocore finds it and read to the same."""

import json

import pytest
from aiobotocore.session import get_session
from botocore.exceptions import DataNotFoundError
from botocore.loaders import Loader

from provisioner.gateway.models import find_models_fast

MODEL = "service-2"


def loader():
    session = get_session()
    find_models_fast(session)
    return session.get_component("data_loader")


@pytest.mark.parametrize("name", ["endpoints", "partitions", "sdk-default-configuration"])
def test_general_data_is_botocores(name):
    assert loader().load_data(name) == Loader().load_data(name)


@pytest.mark.parametrize("kind", [MODEL, "endpoint-rule-set-1"])
@pytest.mark.parametrize("service", ["chime-sdk-voice", "sts"])
def test_a_services_data_is_botocores(service, kind):
    assert loader().load_service_model(service, kind) == Loader().load_service_model(service, kind)


def test_a_service_that_is_none_is_not_found():
    with pytest.raises(Exception, match="Unknown service: 'chime-sdk-smell'"):
        loader().load_service_model("chime-sdk-smell", MODEL)


def test_data_that_is_none_is_not_found():
    with pytest.raises(DataNotFoundError):
        loader().load_data("nothing")


def test_models_of_ones_own_come_first(monkeypatch, tmp_path):
    folder = tmp_path / "chime-sdk-voice" / "2099-01-01"
    folder.mkdir(parents=True)
    (folder / f"{MODEL}.json").write_text(json.dumps({"mine": True}))
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    assert loader().load_service_model("chime-sdk-voice", MODEL) == {"mine": True}
