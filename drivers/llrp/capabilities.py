"""What a reader says that it can do, reduced to what this driver decides by."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from drivers.api import DriverError
from drivers.llrp.protocol.element import Element
from drivers.llrp.protocol.tables_vendors import IMPINJ

_VENDORS = {IMPINJ: "Impinj", 161: "Zebra", 10642: "Zebra", 17996: "Alien"}

_IMPINJ_MODELS = {
    2001001: "Speedway R220",
    2001002: "Speedway R420",
    2001003: "xPortal",
    2001007: "xArray",
    2001008: "xSpan",
    2001052: "R700",
}


@dataclass(slots=True, frozen=True)
class Power:
    """A step of the transmit power table. `value` in 1/100 dBm."""

    index: int
    value: int


@dataclass(slots=True, frozen=True)
class Capabilities:
    """What the reader answered. What it did not answer, or not so that it could be read, is None or empty: unknown, and
    never taken for a statement.

    `powers` is sorted by value; `modes` are the identifiers of the reader modes; `hop_table` is 0 when the region's
    rules want fixed channels; `extensions` is cleared when the reader refuses its vendor's.
    """

    vendor: int = 0
    model: int = 0
    firmware: str = ""
    antennas: int = 0
    inputs: int | None = None
    outputs: int | None = None
    can_hold: bool | None = None
    powers: tuple[Power, ...] = ()
    modes: tuple[int, ...] = ()
    hop_table: int = 0
    extensions: bool = True

    @property
    def is_impinj(self) -> bool:
        """Impinj's extensions can be used."""
        return self.vendor == IMPINJ and self.extensions

    @property
    def model_name(self) -> str:
        """Vendor and model for people; empty where the reader did not say."""
        if not self.vendor and not self.model:
            return ""
        vendor = _VENDORS.get(self.vendor, f"vendor {self.vendor}")
        model = _IMPINJ_MODELS.get(self.model) if self.vendor == IMPINJ else None
        return f"{vendor} {model or f'model {self.model}'}"

    def power(self, dbm: float) -> Power:
        """The strongest step that is not above `dbm`, of a reader that told its table. Raises a permanent DriverError
        outside the reader's range."""
        wanted = round(dbm * 100)
        lowest, highest = self.powers[0], self.powers[-1]
        if not lowest.value <= wanted <= highest.value:
            raise DriverError(
                f"power {dbm:g} dBm is not possible: this reader does {lowest.value / 100:g} to "
                f"{highest.value / 100:g} dBm; change `power` of the antenna",
                permanent=True,
            )
        return self.powers[bisect_right(self.powers, wanted, key=lambda step: step.value) - 1]

    def check_mode(self, mode: int) -> None:
        """Raises a permanent DriverError when the reader lists its modes and `mode` is not among them."""
        if self.modes and mode not in self.modes:
            known = ", ".join(map(str, self.modes))
            raise DriverError(f"mode {mode} is not possible: this reader knows the modes {known}", permanent=True)

    def check_antenna(self, port: int) -> None:
        """Raises a permanent DriverError when the reader has no such antenna port."""
        if self.antennas and port > self.antennas:
            raise DriverError(f"antenna {port} is not possible: this reader has {self.antennas} ports", permanent=True)

    def check_input(self, port: int) -> None:
        """Raises a permanent DriverError when the reader has no such general purpose input."""
        if self.inputs is not None and port > self.inputs:
            raise DriverError(f"input {port} is not possible: this reader has {self.inputs}", permanent=True)

    def check_output(self, port: int) -> None:
        """Raises a permanent DriverError when the reader has no such general purpose output."""
        if port < 1 or (self.outputs is not None and port > self.outputs):
            raise DriverError(f"output {port} is not possible: this reader has {self.outputs}", permanent=True)


def read_capabilities(answer: Element) -> Capabilities:
    """From the body of a GET_READER_CAPABILITIES_RESPONSE. What the reader left out stays at its default."""
    general = answer.find("GeneralDeviceCapabilities") or Element("")
    llrp = answer.find("LLRPCapabilities") or Element("")
    regulatory = answer.find("RegulatoryCapabilities") or Element("")
    band = regulatory.find("UHFBandCapabilities") or Element("")
    gpio = general.find("GPIOCapabilities") or Element("")
    holding = llrp.fields.get("SupportsEventAndReportHolding")
    # A table of which a row cannot be read says nothing of what is not in it.
    powers = (
        []
        if _is_odd(band)
        else [Power(step["Index"], step["TransmitPowerValue"]) for step in band.all("TransmitPowerLevelTableEntry")]
    )
    tables = band.all("C1G2UHFRFModeTable")
    is_odd = _is_odd(band) or any(map(_is_odd, tables))
    modes = [] if is_odd else [entry["ModeIdentifier"] for table in tables for entry in table.children]
    return Capabilities(
        vendor=general.fields.get("DeviceManufacturerName", 0),
        model=general.fields.get("ModelName", 0),
        firmware=general.fields.get("ReaderFirmwareVersion", ""),
        antennas=general.fields.get("MaxNumberOfAntennaSupported", 0),
        inputs=gpio.fields.get("NumGPIs"),
        outputs=gpio.fields.get("NumGPOs"),
        can_hold=None if holding is None else bool(holding),
        powers=tuple(sorted(powers, key=lambda step: step.value)),
        modes=tuple(modes),
        hop_table=_hop_table(band.find("FrequencyInformation")),
    )


def _is_odd(table: Element) -> bool:
    """Whether something in it could not be read."""
    return any(child.name in ("Unknown", "Unreadable") for child in table.children)


def _hop_table(frequencies: Element | None) -> int:
    """Readers under hopping rules want the number of one of their hop tables, the others want 0."""
    if frequencies is None or not frequencies["Hopping"]:
        return 0
    table = frequencies.find("FrequencyHopTable")
    return table["HopTableID"] if table is not None else 1
