"""Readers on the Impinj R2000 chip (frames that begin with A0).

`frames` reads and writes the bytes, `session` is how a connection goes, `settings` what can be set.
"""

from drivers.serial.driver import factory_of
from drivers.serial.family import Family
from drivers.serial.r2000.frames import R2000Framing, whole
from drivers.serial.r2000.session import R2000Session
from drivers.serial.r2000.settings import R2000Settings

FAMILY = Family("r2000", R2000Settings, R2000Framing, R2000Session, probe=whole)
FACTORY = factory_of(FAMILY)
