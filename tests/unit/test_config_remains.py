"""What a wrong configuration still says of where to tell people that it is wrong."""

from __future__ import annotations

import pytest

from gateway import cli
from gateway.config.file import load
from gateway.config.remains import remains
from gateway.errors import ConfigError

BROKEN = """\
site: plant
gateway: gw
mqtt: {host: broker.example}
http: {port: 9999}
log:
  level: loud
web:
  port: 8421
"""


@pytest.mark.parametrize(
    ("text", "site", "broker", "health", "page"),
    [
        (BROKEN, "plant", "broker.example", 9999, 8421),  # no reader and no zone, and a level that there is not
        (BROKEN + "floor:\n  window: [1,\n", "plant", "broker.example", 9999, 8421),
        (BROKEN + "\tfloor: x\n", "plant", "broker.example", 9999, None),  # it ends the section before it
        (BROKEN.replace("host: b", "hosst: b"), "", "localhost", 9999, 8421),
        (BROKEN.replace("gw", "g w"), "", "broker.example", 9999, 8421),
        ('{"site": "plant", "gateway": "gw", "http": {"port": 0}}', "plant", "localhost", 0, None),
        ("- a list", "", "localhost", 9464, None),
        ("", "", "localhost", 9464, None),
        ("\0", "", "localhost", 9464, None),
    ],
)
def test_what_is_right_in_a_wrong_configuration_says_where_to_tell_it(tmp_path, text, site, broker, health, page):
    file = tmp_path / "gateway.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError):
        load(file)
    known = remains(file)
    assert (known.site, known.mqtt.host, known.http.port) == (site, broker, health)
    assert (known.web and known.web.port) == page
    assert known.log.level == "info"


def test_nothing_is_known_of_a_configuration_that_is_not_there(tmp_path):
    assert (remains(tmp_path / "none.yaml").site, remains(tmp_path).http.port) == ("", 9464)


def test_a_wrong_configuration_ends_what_a_person_started(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    file = tmp_path / "gateway.yaml"
    file.write_text("site: plant\n")
    assert cli.main(["run", "--config", str(file)]) == 2
    assert f"{file}:1: gateway: is missing" in capsys.readouterr().err
