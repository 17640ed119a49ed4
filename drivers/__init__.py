"""Drivers for fixed RFID readers. `drivers.api` is the page that a driver author reads."""
