"""ThingMagic's embedded modules (Mercury protocol).

`frames` reads and writes the bytes, `session` is how a connection goes, `settings` what can be set.
"""

from drivers.serial.driver import factory_of
from drivers.serial.family import Family
from drivers.serial.mercury.frames import MercuryFraming, whole
from drivers.serial.mercury.session import MercurySession
from drivers.serial.mercury.settings import MercurySettings

FAMILY = Family("mercury", MercurySettings, MercuryFraming, MercurySession, probe=whole)
FACTORY = factory_of(FAMILY)
