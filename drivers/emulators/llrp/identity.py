"""Who an emulated LLRP reader says that it is: a handful of real models as data, and their capabilities messages.

Figures are those that the models report themselves or that their data sheets give (power in 1/100 dBm, frequencies in
kHz); the order of the hop table is one that a Speedway reported.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from drivers.emulators.llrp.filter import MAX_FILTERS
from drivers.llrp.protocol.element import E, Element

IMPINJ = 25882
"""IANA enterprise number of Impinj."""
ZEBRA = 161
"""IANA enterprise number of Motorola, from whom Zebra has these readers."""

# fmt: off
FCC_HOPS = (
    909250, 908250, 925750, 911250, 910750, 926750, 917750, 905250, 927250, 921250, 925250, 919250, 924750, 916250,
    919750, 913250, 926250, 916750, 918750, 914250, 909750, 917250, 908750, 902750, 921750, 913750, 915750, 923750,
    904250, 903750, 903250, 907750, 915250, 924250, 912750, 918250, 912250, 910250, 922250, 905750, 906750, 920750,
    923250, 906250, 914750, 911750, 920250, 907250, 922750, 904750,
)

# mode, DR (0: 8, 1: 64/3), M (0: FM0, 1: 2, 2: 4, 3: 8), forward modulation, spectral mask, BDR, PIE, Tari min, max
IMPINJ_MODES = (
    (0, 1, 0, 2, 2, 640_000, 1500, 6250, 6250),
    (1, 1, 1, 2, 2, 640_000, 1500, 6250, 6250),
    (2, 1, 2, 0, 3, 274_000, 2000, 20_000, 20_000),
    (3, 1, 3, 0, 3, 170_600, 2000, 20_000, 20_000),
    (4, 1, 2, 0, 2, 640_000, 1500, 7140, 7140),
    *((mode, 0, 0, 0, 0, 40_000, 1500, 6250, 6250) for mode in (1000, 1002, 1003, 1004, 1005)),
)
PLAIN_MODES = (
    (1, 1, 0, 0, 2, 640_000, 1500, 6250, 25_000),
    (2, 1, 2, 0, 3, 256_000, 2000, 12_500, 25_000),
)
# fmt: on


@dataclass(slots=True, frozen=True)
class Identity:
    """What tells one model from another.

    `versions`: protocol versions that it speaks, 1 (1.0.1) or 2 (1.1). `missed_acks`: after how many keepalives
    without an acknowledgement it closes the connection, None for never. `loops`: begins again with the first AISpec
    when the last has ended and the ROSpec's stop trigger has not come. `delete_clears`: reports of a ROSpec that is
    deleted are thrown away. `powers`: first, last and step of the power table. `mac`: its EUI-64, its identification.
    """

    name: str
    manufacturer: int
    model: int
    firmware: str
    antennas: int = 4
    inputs: int = 4
    outputs: int = 4
    versions: tuple[int, ...] = (1, 2)
    has_utc: bool = True
    can_hold: bool = True
    can_warn: bool = True
    max_rospecs: int = 1
    max_accessspecs: int = 1508
    priorities: int = 1
    powers: tuple[int, int, int] = (1000, 3000, 25)
    modes: tuple[tuple[int, int, int, int, int, int, int, int, int], ...] = PLAIN_MODES
    missed_acks: int | None = None
    loops: bool = False
    delete_clears: bool = True
    mac: bytes = bytes.fromhex("001625FFFE112233")

    @property
    def is_impinj(self) -> bool:
        """Whether the emulated reader is one of Impinj's."""
        return self.manufacturer == IMPINJ

    @property
    def power_table(self) -> list[int]:
        """Transmit powers in 1/100 dBm; the index of the protocol counts from 1."""
        first, last, step = self.powers
        return list(range(first, last + 1, step))


_GENERIC = Identity(
    name="generic",
    manufacturer=0,
    model=1,
    firmware="1.0",
    versions=(1,),
    max_rospecs=8,
    max_accessspecs=8,
    priorities=8,
    missed_acks=5,
    delete_clears=False,
)

IDENTITIES = {
    identity.name: identity
    for identity in (
        Identity(
            name="impinj-r700",
            manufacturer=IMPINJ,
            model=2001052,
            firmware="8.1.0.235",
            inputs=2,
            outputs=3,
            powers=(1000, 3300, 25),
            modes=IMPINJ_MODES,
            loops=True,
        ),
        Identity(
            name="impinj-r420",
            manufacturer=IMPINJ,
            model=2001002,
            firmware="5.14.0.240",
            powers=(1000, 3000, 25),
            modes=IMPINJ_MODES,
            loops=True,
        ),
        Identity(
            name="zebra-fx9600",
            manufacturer=ZEBRA,
            model=96008,
            firmware="3.10.30.0",
            antennas=8,
            versions=(1,),
            max_rospecs=1,
            powers=(0, 3300, 10),
            missed_acks=5,
            delete_clears=False,
            mac=bytes.fromhex("84248DFFFEF00001"),
        ),
        _GENERIC,
        replace(_GENERIC, name="uptime-only", has_utc=False),
    )
}
"""The models by name, as `--identity` takes them."""


def capabilities(identity: Identity, requested: int) -> list[Element]:
    """The parameters of GET_READER_CAPABILITIES_RESPONSE after the status; `requested` 0 is everything, else 1 to 4."""
    parts = (_general, _llrp, _regulatory, _air_protocol)
    return [part(identity) for number, part in enumerate(parts, 1) if requested in (0, number)]


def _general(identity: Identity) -> Element:
    return E(
        "GeneralDeviceCapabilities",
        E("ReceiveSensitivityTableEntry", Index=1, ReceiveSensitivityValue=0),
        E("GPIOCapabilities", NumGPIs=identity.inputs, NumGPOs=identity.outputs),
        *(E("PerAntennaAirProtocol", AntennaID=port, ProtocolID=[1]) for port in range(1, identity.antennas + 1)),
        MaxNumberOfAntennaSupported=identity.antennas,
        CanSetAntennaProperties=False,
        HasUTCClockCapability=identity.has_utc,
        DeviceManufacturerName=identity.manufacturer,
        ModelName=identity.model,
        ReaderFirmwareVersion=identity.firmware,
    )


def _llrp(identity: Identity) -> Element:
    return E(
        "LLRPCapabilities",
        CanDoRFSurvey=False,
        CanReportBufferFillWarning=identity.can_warn,
        SupportsClientRequestOpSpec=False,
        CanDoTagInventoryStateAwareSingulation=False,
        SupportsEventAndReportHolding=identity.can_hold,
        MaxNumPriorityLevelsSupported=identity.priorities,
        ClientRequestOpSpecTimeout=0,
        MaxNumROSpecs=identity.max_rospecs,
        MaxNumSpecsPerROSpec=32,
        MaxNumInventoryParameterSpecsPerAISpec=1,
        MaxNumAccessSpecs=identity.max_accessspecs,
        MaxNumOpSpecsPerAccessSpec=8,
    )


def _regulatory(identity: Identity) -> Element:
    powers = (
        E("TransmitPowerLevelTableEntry", Index=index, TransmitPowerValue=value)
        for index, value in enumerate(identity.power_table, 1)
    )
    hopping = E("FrequencyInformation", E("FrequencyHopTable", HopTableID=1, Frequency=list(FCC_HOPS)), Hopping=True)
    band = E("UHFBandCapabilities", *powers, hopping, E("C1G2UHFRFModeTable", *map(_mode, identity.modes)))
    return E("RegulatoryCapabilities", band, CountryCode=840, CommunicationsStandard=1)


def _mode(mode: tuple[int, int, int, int, int, int, int, int, int]) -> Element:
    number, divide_ratio, miller, forward, mask, rate, pie, tari_min, tari_max = mode
    return E(
        "C1G2UHFRFModeTableEntry",
        ModeIdentifier=number,
        DRValue=divide_ratio,
        EPCHAGTCConformance=False,
        MValue=miller,
        ForwardLinkModulation=forward,
        SpectralMaskIndicator=mask,
        BDRValue=rate,
        PIEValue=pie,
        MinTariValue=tari_min,
        MaxTariValue=tari_max,
        StepTariValue=0 if tari_min == tari_max else 1,
    )


def _air_protocol(identity: Identity) -> Element:
    return E(
        "C1G2LLRPCapabilities",
        CanSupportBlockErase=False,
        CanSupportBlockWrite=identity.is_impinj,
        MaxNumSelectFiltersPerQuery=MAX_FILTERS,
    )
