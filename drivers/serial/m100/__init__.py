"""MagicRF M100 and R200 modules.

`frames` reads and writes the bytes, `session` is how a connection goes, `settings` what can be set.
"""

from drivers.serial.driver import factory_of
from drivers.serial.family import Family
from drivers.serial.m100.frames import M100Framing, whole
from drivers.serial.m100.session import M100Session
from drivers.serial.m100.settings import M100Settings

FAMILY = Family("m100", M100Settings, M100Framing, M100Session, probe=whole)
FACTORY = factory_of(FAMILY)
