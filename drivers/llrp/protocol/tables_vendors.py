"""Vendors' extensions as data, in the notation of `tables_core`; the number is the vendor's subtype.

Names in capitals are messages. Only what carries reads, events or settings that we use is here; everything else of a
vendor's stays a raw ``Custom``. So does anything that does not fit its entry: firmware and documents disagree.
"""

IMPINJ = 25882
ZEBRA = 161

VENDORS = {
    # The LLRP Toolkit's Impinj definition.
    IMPINJ: """
IMPINJ_ENABLE_EXTENSIONS 21: -32 ; Custom*
IMPINJ_ENABLE_EXTENSIONS_RESPONSE 22: ; LLRPStatus Custom*
IMPINJ_SAVE_SETTINGS 23: SaveConfiguration u1, -7 ; Custom*
IMPINJ_SAVE_SETTINGS_RESPONSE 24: ; LLRPStatus Custom*
ImpinjRequestedData 21: RequestedData u32=ImpinjRequestedDataType ; Custom*
ImpinjSubRegulatoryRegion 22: RegulatoryRegion u16 ; Custom*
ImpinjInventorySearchMode 23: InventorySearchMode u16=ImpinjInventorySearchType ; Custom*
ImpinjFixedFrequencyList 26: FixedFrequencyMode u16=ImpinjFixedFrequencyMode, -16, ChannelList u16v ; Custom*
ImpinjReducedPowerFrequencyList 27: ReducedPowerMode u16=ImpinjMode, -16, ChannelList u16v ; Custom*
ImpinjLowDutyCycle 28: LowDutyCycleMode u16=ImpinjMode, EmptyFieldTimeout u16, FieldPingInterval u16 ; Custom*
ImpinjDetailedVersion 29: ModelName utf8v, SerialNumber utf8v, SoftwareVersion utf8v, FirmwareVersion utf8v,
    FPGAVersion utf8v, PCBAVersion utf8v ; ImpinjHubVersions? ImpinjArrayVersion? Custom*
ImpinjFrequencyCapabilities 30: FrequencyList u32v ; Custom*
ImpinjGPIDebounceConfiguration 36: GPIPortNum u16, GPIDebounceTimerMSec u32 ; Custom*
ImpinjReaderTemperature 37: Temperature s16 ; Custom*
ImpinjLinkMonitorConfiguration 38: LinkMonitorMode u16=ImpinjMode, LinkDownThreshold u16 ; Custom*
ImpinjReportBufferConfiguration 39: ReportBufferMode u16=ImpinjReportBufferMode ; Custom*
ImpinjAccessSpecConfiguration 40: ; ImpinjBlockWriteWordCount? ImpinjOpSpecRetryCount? ImpinjAccessSpecOrdering?
    Custom*
ImpinjBlockWriteWordCount 41: WordCount u16 ; Custom*
ImpinjTagReportContentSelector 50: ; ImpinjEnableSerializedTID? ImpinjEnableRFPhaseAngle? ImpinjEnablePeakRSSI?
    ImpinjEnableGPSCoordinates? ImpinjEnableOptimizedRead? ImpinjEnableRFDopplerFrequency? ImpinjEnableTxPower? Custom*
ImpinjEnableSerializedTID 51: SerializedTIDMode u16=ImpinjMode ; Custom*
ImpinjEnableRFPhaseAngle 52: RFPhaseAngleMode u16=ImpinjMode ; Custom*
ImpinjEnablePeakRSSI 53: PeakRSSIMode u16=ImpinjMode ; Custom*
ImpinjEnableGPSCoordinates 54: GPSCoordinatesMode u16=ImpinjMode ; Custom*
ImpinjSerializedTID 55: TID u16v ; Custom*
ImpinjRFPhaseAngle 56: PhaseAngle u16 ; Custom*
ImpinjPeakRSSI 57: RSSI s16 ; Custom*
ImpinjGPSCoordinates 58: Latitude s32, Longitude s32 ; Custom*
ImpinjOpSpecRetryCount 63: RetryCount u16 ; Custom*
ImpinjAdvancedGPOConfiguration 64: GPOPortNum u16, GPOMode u16=ImpinjAdvancedGPOMode, GPOPulseDurationMSec u32 ; Custom*
ImpinjEnableOptimizedRead 65: OptimizedReadMode u16=ImpinjMode ; C1G2Read* Custom*
ImpinjAccessSpecOrdering 66: OrderingMode u16=ImpinjAccessSpecOrderingMode ; Custom*
ImpinjEnableRFDopplerFrequency 67: RFDopplerFrequencyMode u16=ImpinjMode ; Custom*
ImpinjRFDopplerFrequency 68: DopplerFrequency s16 ; Custom*
ImpinjEnableTxPower 72: TxPowerMode u16=ImpinjMode ; Custom*
ImpinjArrayVersion 1520: SerialNumber utf8v, FirmwareVersion utf8v, PCBAVersion utf8v ; Custom*
ImpinjAntennaConfiguration 1524: ; ImpinjAntennaEventConfiguration? ImpinjAntennaEventHysteresis? Custom*
ImpinjAntennaEventHysteresis 1526: AntennaEventConnected u64, AntennaEventDisconnected u64 ; Custom*
ImpinjHubVersions 1537: ; ImpinjArrayVersion* Custom*
ImpinjHubConfiguration 1538: HubID u16, Connected u16=ImpinjHubConnectedType, Fault u16=ImpinjHubFaultType ; Custom*
ImpinjAntennaEventConfiguration 1576: EnableAntennaAttemptNotification u1, -7 ; Custom*
ImpinjAntennaAttemptEvent 1577: AntennaID u16 ; Custom*
""",
    # Zebra's interface control guide, 72E-131718, with the widths that FX9600 firmware sends (the guide's reserved bits
    # are too many by up to 24).
    ZEBRA: """
MOTO_GET_TAG_EVENT_REPORT 2
MOTO_PURGE_TAGS_RESPONSE 4: ; LLRPStatus
MOTO_TAG_EVENT_NOTIFY 5
MotoGeneralCapabilities 1: Version u32, CanGetGeneralParams u1, CanReportPartNumber u1, CanReportRadioVersion u1,
    CanSupportRadioPowerState u1, CanSupportRadioTransmitDelay u1, CanSupportZebraTrigger u1, -2
MotoAdvancedCapabilities 110: Version u32, CanReportPhase u1, CanSupportZone u1, CanSupportAntennaRFConfig u1,
    CanSupportPeriodicTagReports u1, CanSupportSledBatteryStatus u1, CanSupportLogicalAntenna u1, CanReportGPS u1, -1
MotoAutonomousState 101: AutonomousModeState u1, -7
MotoTagEventSelector 121: ReportNewTagEvent u8, NewTagEventModeratedTimeout u16, ReportTagInvisibleEvent u8,
    TagInvisibleEventModeratedTimeout u16, ReportTagVisibilityChangeEvent u8,
    TagVisibilityChangeEventModeratedTimeout u16
MotoTagReportMode 122: ReportFormat u8
MotoTagEventList 123: ; MotoTagEventEntry*
MotoTagEventEntry 124: EventType u8=MotoTagEventType, Microseconds u64
MotoGeneralRequestCapabilities 50: RequestedData u8
MotoGeneralGetParams 51: RequestedData u8
MotoVersion 256: ModuleName utf8v, ModuleVersion utf8v
MotoVersionList 504: ; MotoVersion*
MotoConnectionFailureReason 465: Reason utf8v
MotoRadioPowerState 500: RadioPowerState u1, -7
MotoAntennaConfig 703: ; MotoAntennaStopCondition? MotoAntennaPhysicalPortConfig? MotoAntennaQueryConfig?
MotoAntennaStopCondition 704: AntennaStopTrigger u8=MotoStopTrigger, AntennaStopConditionValue u16
MotoAntennaPhysicalPortConfig 705: PhysicalTransmitPort u16, PhysicalReceivePort u16
MotoTagReportContentSelector 708: EnableZoneID u1, EnableZoneName u1, EnableAntennaPhysicalPortConfig u1,
    EnablePhase u1, EnableGPS u1, EnableMLTReport u1, -26
MotoTagPhase 709: Phase s16
MotoAntennaQueryConfig 710: EnableSLAll u1, EnableABFlip u1, -14
""",
}
