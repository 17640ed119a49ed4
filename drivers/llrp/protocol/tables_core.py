"""LLRP 1.0.1 and 1.1 as data: every message and parameter, one entry each. `drivers.llrp.protocol.tables` reads it.

An entry is ``Name number: fields ; children``. A field is ``Name type`` or ``Name type=Enumeration``; ``Name? type``
is one that LLRP 1.1 put where 1.0.1 has reserved bits, and may be left out when encoding; ``-7`` is seven reserved
bits. A child is a parameter's name or ``<Choice>``: once, or with ``?`` at most once, ``*`` any number, ``+`` one or
more. Indented lines continue the entry above. Parameters below 128 have no length on the wire (TV), others do (TLV).

Names and numbers are those of the LLRP Toolkit's definition of 1.0.1; what it leaves out and what 1.1 adds is named
after the standard (LLRP 1.1, sections 17.1 and 17.2).
"""

MESSAGES = """
GET_READER_CAPABILITIES 1: RequestedData u8=GetReaderCapabilitiesRequestedData ; Custom*
GET_READER_CONFIG 2: AntennaID u16, RequestedData u8=GetReaderConfigRequestedData, GPIPortNum u16, GPOPortNum u16 ;
    Custom*
SET_READER_CONFIG 3: ResetToFactoryDefault u1, -7 ; ReaderEventNotificationSpec? AntennaProperties*
    AntennaConfiguration* ROReportSpec? AccessReportSpec? KeepaliveSpec? GPOWriteData* GPIPortCurrentState*
    EventsAndReports? Custom*
CLOSE_CONNECTION_RESPONSE 4: ; LLRPStatus
GET_READER_CAPABILITIES_RESPONSE 11: ; LLRPStatus GeneralDeviceCapabilities? LLRPCapabilities?
    RegulatoryCapabilities? C1G2LLRPCapabilities? Custom*
GET_READER_CONFIG_RESPONSE 12: ; LLRPStatus Identification? AntennaProperties* AntennaConfiguration*
    ReaderEventNotificationSpec? ROReportSpec? AccessReportSpec? LLRPConfigurationStateValue? KeepaliveSpec?
    GPIPortCurrentState* GPOWriteData* EventsAndReports? Custom*
SET_READER_CONFIG_RESPONSE 13: ; LLRPStatus
CLOSE_CONNECTION 14
ADD_ROSPEC 20: ; ROSpec
DELETE_ROSPEC 21: ROSpecID u32
START_ROSPEC 22: ROSpecID u32
STOP_ROSPEC 23: ROSpecID u32
ENABLE_ROSPEC 24: ROSpecID u32
DISABLE_ROSPEC 25: ROSpecID u32
GET_ROSPECS 26
ADD_ROSPEC_RESPONSE 30: ; LLRPStatus
DELETE_ROSPEC_RESPONSE 31: ; LLRPStatus
START_ROSPEC_RESPONSE 32: ; LLRPStatus
STOP_ROSPEC_RESPONSE 33: ; LLRPStatus
ENABLE_ROSPEC_RESPONSE 34: ; LLRPStatus
DISABLE_ROSPEC_RESPONSE 35: ; LLRPStatus
GET_ROSPECS_RESPONSE 36: ; LLRPStatus ROSpec*
ADD_ACCESSSPEC 40: ; AccessSpec
DELETE_ACCESSSPEC 41: AccessSpecID u32
ENABLE_ACCESSSPEC 42: AccessSpecID u32
DISABLE_ACCESSSPEC 43: AccessSpecID u32
GET_ACCESSSPECS 44
CLIENT_REQUEST_OP 45: ; TagReportData
GET_SUPPORTED_VERSION 46
SET_PROTOCOL_VERSION 47: ProtocolVersion u8
ADD_ACCESSSPEC_RESPONSE 50: ; LLRPStatus
DELETE_ACCESSSPEC_RESPONSE 51: ; LLRPStatus
ENABLE_ACCESSSPEC_RESPONSE 52: ; LLRPStatus
DISABLE_ACCESSSPEC_RESPONSE 53: ; LLRPStatus
GET_ACCESSSPECS_RESPONSE 54: ; LLRPStatus AccessSpec*
CLIENT_REQUEST_OP_RESPONSE 55: ; ClientRequestResponse
GET_SUPPORTED_VERSION_RESPONSE 56: CurrentVersion u8, SupportedVersion u8 ; LLRPStatus
SET_PROTOCOL_VERSION_RESPONSE 57: ; LLRPStatus
GET_REPORT 60
RO_ACCESS_REPORT 61: ; TagReportData* RFSurveyReportData* Custom*
KEEPALIVE 62
READER_EVENT_NOTIFICATION 63: ; ReaderEventNotificationData
ENABLE_EVENTS_AND_REPORTS 64
KEEPALIVE_ACK 72
ERROR_MESSAGE 100: ; LLRPStatus
CUSTOM_MESSAGE 1023: VendorIdentifier u32, MessageSubtype u8, Data bytesToEnd
"""

PARAMETERS = """
AntennaID 1: AntennaID u16
FirstSeenTimestampUTC 2: Microseconds u64
FirstSeenTimestampUptime 3: Microseconds u64
LastSeenTimestampUTC 4: Microseconds u64
LastSeenTimestampUptime 5: Microseconds u64
PeakRSSI 6: PeakRSSI s8
ChannelIndex 7: ChannelIndex u16
TagSeenCount 8: TagCount u16
ROSpecID 9: ROSpecID u32
InventoryParameterSpecID 10: InventoryParameterSpecID u16
C1G2_CRC 11: CRC u16
C1G2_PC 12: PC_Bits u16
EPC_96 13: EPC u96
SpecIndex 14: SpecIndex u16
ClientRequestOpSpecResult 15: OpSpecID u16
AccessSpecID 16: AccessSpecID u32
OpSpecID 17: OpSpecID u16
C1G2SingulationDetails 18: NumCollisionSlots u16, NumEmptySlots u16
C1G2XPCW1 19: XPC_W1 u16
C1G2XPCW2 20: XPC_W2 u16
UTCTimestamp 128: Microseconds u64
Uptime 129: Microseconds u64
GeneralDeviceCapabilities 137: MaxNumberOfAntennaSupported u16, CanSetAntennaProperties u1, HasUTCClockCapability
    u1, -14, DeviceManufacturerName u32, ModelName u32, ReaderFirmwareVersion utf8v ; ReceiveSensitivityTableEntry+
    PerAntennaReceiveSensitivityRange* GPIOCapabilities PerAntennaAirProtocol+ MaximumReceiveSensitivity?
ReceiveSensitivityTableEntry 139: Index u16, ReceiveSensitivityValue s16
PerAntennaAirProtocol 140: AntennaID u16, ProtocolID u8v=AirProtocols
GPIOCapabilities 141: NumGPIs u16, NumGPOs u16
LLRPCapabilities 142: CanDoRFSurvey u1, CanReportBufferFillWarning u1, SupportsClientRequestOpSpec u1,
    CanDoTagInventoryStateAwareSingulation u1, SupportsEventAndReportHolding u1, -3, MaxNumPriorityLevelsSupported
    u8, ClientRequestOpSpecTimeout u16, MaxNumROSpecs u32, MaxNumSpecsPerROSpec u32,
    MaxNumInventoryParameterSpecsPerAISpec u32, MaxNumAccessSpecs u32, MaxNumOpSpecsPerAccessSpec u32
RegulatoryCapabilities 143: CountryCode u16, CommunicationsStandard u16=CommunicationsStandard ;
    UHFBandCapabilities? Custom*
UHFBandCapabilities 144: ; TransmitPowerLevelTableEntry+ FrequencyInformation C1G2UHFRFModeTable+
    RFSurveyFrequencyCapabilities?
TransmitPowerLevelTableEntry 145: Index u16, TransmitPowerValue s16
FrequencyInformation 146: Hopping u1, -7 ; FrequencyHopTable* FixedFrequencyTable?
FrequencyHopTable 147: HopTableID u8, -8, Frequency u32v
FixedFrequencyTable 148: Frequency u32v
PerAntennaReceiveSensitivityRange 149: AntennaID u16, ReceiveSensitivityIndexMin u16, ReceiveSensitivityIndexMax u16
ROSpec 177: ROSpecID u32, Priority u8, CurrentState u8=ROSpecState ; ROBoundarySpec <SpecParameter>+ ROReportSpec?
ROBoundarySpec 178: ; ROSpecStartTrigger ROSpecStopTrigger
ROSpecStartTrigger 179: ROSpecStartTriggerType u8=ROSpecStartTriggerType ; PeriodicTriggerValue? GPITriggerValue?
PeriodicTriggerValue 180: Offset u32, Period u32 ; UTCTimestamp?
GPITriggerValue 181: GPIPortNum u16, GPIEvent u1, -7, Timeout u32
ROSpecStopTrigger 182: ROSpecStopTriggerType u8=ROSpecStopTriggerType, DurationTriggerValue u32 ; GPITriggerValue?
AISpec 183: AntennaIDs u16v ; AISpecStopTrigger InventoryParameterSpec+ Custom*
AISpecStopTrigger 184: AISpecStopTriggerType u8=AISpecStopTriggerType, DurationTrigger u32 ; GPITriggerValue?
    TagObservationTrigger?
TagObservationTrigger 185: TriggerType u8=TagObservationTriggerType, -8, NumberOfTags u16, NumberOfAttempts u16, T
    u16, Timeout u32
InventoryParameterSpec 186: InventoryParameterSpecID u16, ProtocolID u8=AirProtocols ; AntennaConfiguration* Custom*
RFSurveySpec 187: AntennaID u16, StartFrequency u32, EndFrequency u32 ; RFSurveySpecStopTrigger Custom*
RFSurveySpecStopTrigger 188: StopTriggerType u8=RFSurveySpecStopTriggerType, DurationPeriod u32, N u32
AccessSpec 207: AccessSpecID u32, AntennaID u16, ProtocolID u8=AirProtocols, CurrentState u1=AccessSpecState, -7,
    ROSpecID u32 ; AccessSpecStopTrigger AccessCommand AccessReportSpec? Custom*
AccessSpecStopTrigger 208: AccessSpecStopTrigger u8=AccessSpecStopTriggerType, OperationCountValue u16
AccessCommand 209: ; C1G2TagSpec <AccessCommandOpSpec>+ Custom*
ClientRequestOpSpec 210: OpSpecID u16
ClientRequestResponse 211: AccessSpecID u32 ; EPCData <AirProtocolOpSpec>*
LLRPConfigurationStateValue 217: LLRPConfigurationStateValue u32
Identification 218: IDType u8=IdentificationType, ReaderID u8v
GPOWriteData 219: GPOPortNumber u16, GPOData u1, -7
KeepaliveSpec 220: KeepaliveTriggerType u8=KeepaliveTriggerType, PeriodicTriggerValue u32
AntennaProperties 221: AntennaConnected u1, -7, AntennaID u16, AntennaGain s16
AntennaConfiguration 222: AntennaID u16 ; RFReceiver? RFTransmitter? C1G2InventoryCommand* Custom*
RFReceiver 223: ReceiverSensitivity u16
RFTransmitter 224: HopTableID u16, ChannelIndex u16, TransmitPower u16
GPIPortCurrentState 225: GPIPortNum u16, Config u1, -7, State u8=GPIPortState
EventsAndReports 226: HoldEventsAndReportsUponReconnect u1, -7
ROReportSpec 237: ROReportTrigger u8=ROReportTriggerType, N u16 ; TagReportContentSelector Custom*
TagReportContentSelector 238: EnableROSpecID u1, EnableSpecIndex u1, EnableInventoryParameterSpecID u1,
    EnableAntennaID u1, EnableChannelIndex u1, EnablePeakRSSI u1, EnableFirstSeenTimestamp u1,
    EnableLastSeenTimestamp u1, EnableTagSeenCount u1, EnableAccessSpecID u1, -6 ; C1G2EPCMemorySelector* Custom*
AccessReportSpec 239: AccessReportTrigger u8=AccessReportTriggerType
TagReportData 240: ; <EPCParameter> ROSpecID? SpecIndex? InventoryParameterSpecID? AntennaID? PeakRSSI?
    ChannelIndex? FirstSeenTimestampUTC? FirstSeenTimestampUptime? LastSeenTimestampUTC? LastSeenTimestampUptime?
    TagSeenCount? <AirProtocolTagData>* AccessSpecID? <AccessCommandOpSpecResult>* Custom*
EPCData 241: EPC u1v
RFSurveyReportData 242: ; ROSpecID? SpecIndex? FrequencyRSSILevelEntry+ Custom*
FrequencyRSSILevelEntry 243: Frequency u32, Bandwidth u32, AverageRSSI s8, PeakRSSI s8 ; <Timestamp>
ReaderEventNotificationSpec 244: ; EventNotificationState+
EventNotificationState 245: EventType u16=NotificationEventType, NotificationState u1, -7
ReaderEventNotificationData 246: ; <Timestamp> HoppingEvent? GPIEvent? ROSpecEvent? ReportBufferLevelWarningEvent?
    ReportBufferOverflowErrorEvent? ReaderExceptionEvent? RFSurveyEvent? AISpecEvent? AntennaEvent?
    ConnectionAttemptEvent? ConnectionCloseEvent? SpecLoopEvent? Custom*
HoppingEvent 247: HopTableID u16, NextChannelIndex u16
GPIEvent 248: GPIPortNumber u16, GPIEvent u1, -7
ROSpecEvent 249: EventType u8=ROSpecEventType, ROSpecID u32, PreemptingROSpecID u32
ReportBufferLevelWarningEvent 250: ReportBufferPercentageFull u8
ReportBufferOverflowErrorEvent 251
ReaderExceptionEvent 252: Message utf8v ; ROSpecID? SpecIndex? InventoryParameterSpecID? AntennaID? AccessSpecID?
    OpSpecID? Custom*
RFSurveyEvent 253: EventType u8=RFSurveyEventType, ROSpecID u32, SpecIndex u16
AISpecEvent 254: EventType u8=AISpecEventType, ROSpecID u32, SpecIndex u16 ; C1G2SingulationDetails?
AntennaEvent 255: EventType u8=AntennaEventType, AntennaID u16
ConnectionAttemptEvent 256: Status u16=ConnectionAttemptStatusType
ConnectionCloseEvent 257
LLRPStatus 287: StatusCode u16=StatusCode, ErrorDescription utf8v ; FieldError? ParameterError?
FieldError 288: FieldNum u16, ErrorCode u16=StatusCode
ParameterError 289: ParameterType u16, ErrorCode u16=StatusCode ; FieldError? ParameterError?
C1G2LLRPCapabilities 327: CanSupportBlockErase u1, CanSupportBlockWrite u1, CanSupportBlockPermalock? u1,
    CanSupportTagRecommissioning? u1, CanSupportUMIMethod2? u1, CanSupportXPC? u1, -2, MaxNumSelectFiltersPerQuery
    u16
C1G2UHFRFModeTable 328: ; C1G2UHFRFModeTableEntry+
C1G2UHFRFModeTableEntry 329: ModeIdentifier u32, DRValue u1=C1G2DRValue, EPCHAGTCConformance u1, -6, MValue
    u8=C1G2MValue, ForwardLinkModulation u8=C1G2ForwardLinkModulation, SpectralMaskIndicator
    u8=C1G2SpectralMaskIndicator, BDRValue u32, PIEValue u32, MinTariValue u32, MaxTariValue u32, StepTariValue u32
C1G2InventoryCommand 330: TagInventoryStateAware u1, -7 ; C1G2Filter* C1G2RFControl? C1G2SingulationControl? Custom*
C1G2Filter 331: T u2=C1G2TruncateAction, -6 ; C1G2TagInventoryMask C1G2TagInventoryStateAwareFilterAction?
    C1G2TagInventoryStateUnawareFilterAction?
C1G2TagInventoryMask 332: MB u2, -6, Pointer u16, TagMask u1v
C1G2TagInventoryStateAwareFilterAction 333: Target u8=C1G2StateAwareTarget, Action u8=C1G2StateAwareAction
C1G2TagInventoryStateUnawareFilterAction 334: Action u8=C1G2StateUnawareAction
C1G2RFControl 335: ModeIndex u16, Tari u16
C1G2SingulationControl 336: Session u2, -6, TagPopulation u16, TagTransitTime u32 ;
    C1G2TagInventoryStateAwareSingulationAction?
C1G2TagInventoryStateAwareSingulationAction 337: I u1=C1G2TagInventoryStateAwareI, S u1=C1G2TagInventoryStateAwareS,
    -6
C1G2TagSpec 338: ; C1G2TargetTag+
C1G2TargetTag 339: MB u2, Match u1, -5, Pointer u16, TagMask u1v, TagData u1v
C1G2Read 341: OpSpecID u16, AccessPassword u32, MB u2, -6, WordPointer u16, WordCount u16
C1G2Write 342: OpSpecID u16, AccessPassword u32, MB u2, -6, WordPointer u16, WriteData u16v
C1G2Kill 343: OpSpecID u16, KillPassword u32
C1G2Lock 344: OpSpecID u16, AccessPassword u32 ; C1G2LockPayload+
C1G2LockPayload 345: Privilege u8=C1G2LockPrivilege, DataField u8=C1G2LockDataField
C1G2BlockErase 346: OpSpecID u16, AccessPassword u32, MB u2, -6, WordPointer u16, WordCount u16
C1G2BlockWrite 347: OpSpecID u16, AccessPassword u32, MB u2, -6, WordPointer u16, WriteData u16v
C1G2EPCMemorySelector 348: EnableCRC u1, EnablePCBits u1, EnableXPCBits? u1, -5
C1G2ReadOpSpecResult 349: Result u8=C1G2ReadResultType, OpSpecID u16, ReadData u16v
C1G2WriteOpSpecResult 350: Result u8=C1G2WriteResultType, OpSpecID u16, NumWordsWritten u16
C1G2KillOpSpecResult 351: Result u8=C1G2KillResultType, OpSpecID u16
C1G2LockOpSpecResult 352: Result u8=C1G2LockResultType, OpSpecID u16
C1G2BlockEraseOpSpecResult 353: Result u8=C1G2BlockEraseResultType, OpSpecID u16
C1G2BlockWriteOpSpecResult 354: Result u8=C1G2BlockWriteResultType, OpSpecID u16, NumWordsWritten u16
LoopSpec 355: LoopCount u32
SpecLoopEvent 356: ROSpecID u32, LoopCount u32
C1G2Recommission 357: OpSpecID u16, KillPassword u32, -5, SB3 u1, SB2 u1, LSB u1
C1G2BlockPermalock 358: OpSpecID u16, AccessPassword u32, MB u2, -6, BlockPointer u16, BlockMask u16v
C1G2GetBlockPermalockStatus 359: OpSpecID u16, AccessPassword u32, MB u2, -6, BlockPointer u16, BlockRange u16
C1G2RecommissionOpSpecResult 360: Result u8=C1G2RecommissionResultType, OpSpecID u16
C1G2BlockPermalockOpSpecResult 361: Result u8=C1G2BlockPermalockResultType, OpSpecID u16
C1G2GetBlockPermalockStatusOpSpecResult 362: Result u8=C1G2GetBlockPermalockStatusResultType, OpSpecID u16,
    PermalockStatus u16v
MaximumReceiveSensitivity 363: MaximumSensitivityValue s16
RFSurveyFrequencyCapabilities 365: MinimumFrequency u32, MaximumFrequency u32
Custom 1023: VendorIdentifier u32, ParameterSubtype u32, Data bytesToEnd
"""

CHOICES = """
SpecParameter = AISpec RFSurveySpec LoopSpec Custom
AccessCommandOpSpec = C1G2Read C1G2Write C1G2Kill C1G2Recommission C1G2Lock C1G2BlockErase C1G2BlockWrite
    C1G2BlockPermalock C1G2GetBlockPermalockStatus ClientRequestOpSpec Custom
AccessCommandOpSpecResult = C1G2ReadOpSpecResult C1G2WriteOpSpecResult C1G2KillOpSpecResult
    C1G2RecommissionOpSpecResult C1G2LockOpSpecResult C1G2BlockEraseOpSpecResult C1G2BlockWriteOpSpecResult
    C1G2BlockPermalockOpSpecResult C1G2GetBlockPermalockStatusOpSpecResult ClientRequestOpSpecResult Custom
EPCParameter = EPCData EPC_96
Timestamp = UTCTimestamp Uptime
AirProtocolTagData = C1G2_PC C1G2XPCW1 C1G2XPCW2 C1G2_CRC
AirProtocolOpSpec = C1G2Read C1G2Write C1G2Kill C1G2Recommission C1G2Lock C1G2BlockErase C1G2BlockWrite
    C1G2BlockPermalock C1G2GetBlockPermalockStatus
"""
