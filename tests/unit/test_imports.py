"""What the daemon loads when it is first used, or never."""

import subprocess
import sys
import textwrap
from importlib import import_module
from pathlib import Path

import pytest

from gateway.service.imports import later, never

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A library of a module and a submodule that is not loaded, and what it says when it is."""
    (tmp_path / "quietly").mkdir()
    content = "from quietly.inside import LOADED\nLOADED.append(1)\nVALUE = 7\n"
    (tmp_path / "quietly" / "__init__.py").write_text(content)
    (tmp_path / "quietly" / "inside.py").write_text("LOADED = []\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "quietly"
    for name in [name for name in sys.modules if name.split(".")[0] == "quietly"]:
        del sys.modules[name]


def test_a_library_for_later_is_loaded_once_when_something_of_it_is_wanted(library):
    later(library)
    module = import_module(library)
    assert import_module(library) is module
    assert f"{library}.inside" not in sys.modules
    assert module.VALUE == 7
    assert module.LOADED == [1]
    assert import_module(library) is module
    with pytest.raises(AttributeError):
        _ = module.NOTHING


def test_a_library_that_is_loaded_stays_and_one_that_is_not_there_is_not_missed(library):
    module = import_module(library)
    later(library)
    assert sys.modules[library] is module
    later("no-such-library")
    with pytest.raises(ImportError):
        import_module("no-such-library")


def test_a_library_that_is_never_wanted_is_not_there(library):
    never(library)
    with pytest.raises(ImportError):
        import_module(library)


def test_a_quiet_site_does_without_numpy():
    program = """
        import sys
        from gateway.service.imports import later
        later("numpy")
        import gateway.run, drivers.llrp
        from drivers.api import Batch
        from gateway.floor import Floor
        from gateway.inputs import Tick
        from tests.support.floor_scene import config
        site = config()
        floor, t = Floor(site), 1_700_000_000_000_000
        reader, other = site.readers[0].id, site.readers[-1].id
        for number in range(60):
            t += 100_000
            for name, rssi in ((reader, -50), (other, -60)):
                floor.feed(Batch(name, t, [(bytes(11) + b"\\1", 1, rssi, 0, t - 1000, 1)]))
            floor.feed(Tick(t))
        saved = floor.checkpoint()
        assert floor.stats.tags == 1
        assert floor.stats.sightings > 20
        assert "numpy._core" not in sys.modules, "something has loaded numpy"
        later("numpy")
        import numpy
        assert numpy.arange(3).sum() == 3
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=True, timeout=60, cwd=ROOT)
