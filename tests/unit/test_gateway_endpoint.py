import pytest

from provisioner.errors import ConfigurationError
from provisioner.gateway.endpoint import check_endpoint, is_loopback


@pytest.mark.parametrize(
    "url",
    [
        "https://voice-chime.us-east-1.amazonaws.com",
        "https://10.0.0.1:8443/prefix",
        "http://localhost:8000",
        "http://LOCALHOST",
        "http://127.0.0.1:8000",
        "http://127.8.9.1",
        "http://[::1]:8000",
    ],
)
def test_tls_or_this_machine_will_do(url):
    check_endpoint(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "http://10.0.0.1",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
        "http://[::2]",
    ],
)
def test_clear_text_to_another_machine_is_refused(url):
    with pytest.raises(ConfigurationError, match="unencrypted"):
        check_endpoint(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "localhost:8000",
        "ftp://example.com",
        "https://",
        "https://host:port",
        "https://host:99999",
        "https://host:0",
        "https://[::1",
        "https://a b",
        "https://user:secret@host",
        "https://host?query",
        "https://host#fragment",
    ],
)
def test_what_is_no_plain_url_is_refused(url):
    with pytest.raises(ConfigurationError, match="not a URL"):
        check_endpoint(url)


def test_another_machine_is_not_loopback():
    assert not is_loopback("https://example.com")


def test_a_password_in_a_url_is_not_repeated():
    with pytest.raises(ConfigurationError) as refused:
        check_endpoint("https://user:secret@host")
    assert "secret" not in str(refused.value)
