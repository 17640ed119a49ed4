"""The RFID gateway: what was read becomes what moved, kept on disk and published over MQTT."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("rfid-gateway")
except PackageNotFoundError:  # run from a source tree that is not installed
    __version__ = "0+source"
