"""UHFReader18, UHFReader288 and their kin.

`frames` reads and writes the bytes, `session` is how a connection goes, `settings` what can be set.
"""

from drivers.serial.driver import factory_of
from drivers.serial.family import Family
from drivers.serial.uhf288.frames import Uhf288Framing, whole
from drivers.serial.uhf288.session import Uhf288Session
from drivers.serial.uhf288.settings import Uhf288Settings

FAMILY = Family("uhf288", Uhf288Settings, Uhf288Framing, Uhf288Session, probe=whole)
FACTORY = factory_of(FAMILY)
