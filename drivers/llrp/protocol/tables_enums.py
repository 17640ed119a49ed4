"""The enumerations of LLRP 1.0.1 and 1.1 and of the vendors' extensions: ``Name = value:entry value:entry ...``.

Indented lines continue the entry above. Names are those of the LLRP Toolkit's definition where it has one.
"""

ENUMERATIONS = """
AirProtocols = 0:Unspecified 1:EPCGlobalClass1Gen2
GetReaderCapabilitiesRequestedData = 0:All 1:General_Device_Capabilities 2:LLRP_Capabilities
    3:Regulatory_Capabilities 4:LLRP_Air_Protocol_Capabilities
CommunicationsStandard = 0:Unspecified 1:US_FCC_Part_15 2:ETSI_302_208 3:ETSI_300_220 4:Australia_LIPD_1W
    5:Australia_LIPD_4W 6:Japan_ARIB_STD_T89 7:Hong_Kong_OFTA_1049 8:Taiwan_DGT_LP0002 9:Korea_MIC_Article_5_2
ROSpecState = 0:Disabled 1:Inactive 2:Active
ROSpecStartTriggerType = 0:Null 1:Immediate 2:Periodic 3:GPI
ROSpecStopTriggerType = 0:Null 1:Duration 2:GPI_With_Timeout
AISpecStopTriggerType = 0:Null 1:Duration 2:GPI_With_Timeout 3:Tag_Observation
TagObservationTriggerType = 0:Upon_Seeing_N_Tags_Or_Timeout 1:Upon_Seeing_No_More_New_Tags_For_Tms_Or_Timeout
    2:N_Attempts_To_See_All_Tags_In_FOV_Or_Timeout
RFSurveySpecStopTriggerType = 0:Null 1:Duration 2:N_Iterations_Through_Frequency_Range
AccessSpecState = 0:Disabled 1:Active
AccessSpecStopTriggerType = 0:Null 1:Operation_Count
GetReaderConfigRequestedData = 0:All 1:Identification 2:AntennaProperties 3:AntennaConfiguration 4:ROReportSpec
    5:ReaderEventNotificationSpec 6:AccessReportSpec 7:LLRPConfigurationStateValue 8:KeepaliveSpec
    9:GPIPortCurrentState 10:GPOWriteData 11:EventsAndReports
IdentificationType = 0:MAC_Address 1:EPC
KeepaliveTriggerType = 0:Null 1:Periodic
GPIPortState = 0:Low 1:High 2:Unknown
ROReportTriggerType = 0:None 1:Upon_N_Tags_Or_End_Of_AISpec 2:Upon_N_Tags_Or_End_Of_ROSpec
AccessReportTriggerType = 0:Whenever_ROReport_Is_Generated 1:End_Of_AccessSpec
NotificationEventType = 0:Upon_Hopping_To_Next_Channel 1:GPI_Event 2:ROSpec_Event 3:Report_Buffer_Fill_Warning
    4:Reader_Exception_Event 5:RFSurvey_Event 6:AISpec_Event 7:AISpec_Event_With_Details 8:Antenna_Event
    9:SpecLoop_Event
ROSpecEventType = 0:Start_Of_ROSpec 1:End_Of_ROSpec 2:Preemption_Of_ROSpec
RFSurveyEventType = 0:Start_Of_RFSurvey 1:End_Of_RFSurvey
AISpecEventType = 0:End_Of_AISpec
AntennaEventType = 0:Antenna_Disconnected 1:Antenna_Connected
ConnectionAttemptStatusType = 0:Success 1:Failed_A_Reader_Initiated_Connection_Already_Exists
    2:Failed_A_Client_Initiated_Connection_Already_Exists 3:Failed_Reason_Other_Than_A_Connection_Already_Exists
    4:Another_Connection_Attempted
StatusCode = 0:M_Success 100:M_ParameterError 101:M_FieldError 102:M_UnexpectedParameter 103:M_MissingParameter
    104:M_DuplicateParameter 105:M_OverflowParameter 106:M_OverflowField 107:M_UnknownParameter 108:M_UnknownField
    109:M_UnsupportedMessage 110:M_UnsupportedVersion 111:M_UnsupportedParameter 112:M_UnexpectedMessage
    200:P_ParameterError 201:P_FieldError 202:P_UnexpectedParameter 203:P_MissingParameter 204:P_DuplicateParameter
    205:P_OverflowParameter 206:P_OverflowField 207:P_UnknownParameter 208:P_UnknownField 209:P_UnsupportedParameter
    300:A_Invalid 301:A_OutOfRange 401:R_DeviceError
C1G2DRValue = 0:DRV_8 1:DRV_64_3
C1G2MValue = 0:MV_FM0 1:MV_2 2:MV_4 3:MV_8
C1G2ForwardLinkModulation = 0:PR_ASK 1:SSB_ASK 2:DSB_ASK
C1G2SpectralMaskIndicator = 0:Unknown 1:SI 2:MI 3:DI
C1G2TruncateAction = 0:Unspecified 1:Do_Not_Truncate 2:Truncate
C1G2StateAwareTarget = 0:SL 1:Inventoried_State_For_Session_S0 2:Inventoried_State_For_Session_S1
    3:Inventoried_State_For_Session_S2 4:Inventoried_State_For_Session_S3
C1G2StateAwareAction = 0:AssertSLOrA_DeassertSLOrB 1:AssertSLOrA_Noop 2:Noop_DeassertSLOrB 3:NegateSLOrABBA_Noop
    4:DeassertSLOrB_AssertSLOrA 5:DeassertSLOrB_Noop 6:Noop_AssertSLOrA 7:Noop_NegateSLOrABBA
C1G2StateUnawareAction = 0:Select_Unselect 1:Select_DoNothing 2:DoNothing_Unselect 3:Unselect_DoNothing
    4:Unselect_Select 5:DoNothing_Select
C1G2TagInventoryStateAwareI = 0:State_A 1:State_B
C1G2TagInventoryStateAwareS = 0:SL 1:Not_SL
C1G2LockPrivilege = 0:Read_Write 1:Perma_Lock 2:Perma_Unlock 3:Unlock
C1G2LockDataField = 0:Kill_Password 1:Access_Password 2:EPC_Memory 3:TID_Memory 4:User_Memory
C1G2ReadResultType = 0:Success 1:Nonspecific_Tag_Error 2:No_Response_From_Tag 3:Nonspecific_Reader_Error
C1G2WriteResultType = 0:Success 1:Tag_Memory_Overrun_Error 2:Tag_Memory_Locked_Error 3:Insufficient_Power
    4:Nonspecific_Tag_Error 5:No_Response_From_Tag 6:Nonspecific_Reader_Error
C1G2KillResultType = 0:Success 1:Zero_Kill_Password_Error 2:Insufficient_Power 3:Nonspecific_Tag_Error
    4:No_Response_From_Tag 5:Nonspecific_Reader_Error
C1G2LockResultType = 0:Success 1:Insufficient_Power 2:Nonspecific_Tag_Error 3:No_Response_From_Tag
    4:Nonspecific_Reader_Error
C1G2BlockEraseResultType = 0:Success 1:Tag_Memory_Overrun_Error 2:Tag_Memory_Locked_Error 3:Insufficient_Power
    4:Nonspecific_Tag_Error 5:No_Response_From_Tag 6:Nonspecific_Reader_Error
C1G2BlockWriteResultType = 0:Success 1:Tag_Memory_Overrun_Error 2:Tag_Memory_Locked_Error 3:Insufficient_Power
    4:Nonspecific_Tag_Error 5:No_Response_From_Tag 6:Nonspecific_Reader_Error
C1G2RecommissionResultType = 0:Success 1:Zero_Kill_Password_Error 2:Insufficient_Power 3:Nonspecific_Tag_Error
    4:No_Response_From_Tag 5:Nonspecific_Reader_Error 6:Incorrect_Password_Error
C1G2BlockPermalockResultType = 0:Success 1:Insufficient_Power 2:Nonspecific_Tag_Error 3:No_Response_From_Tag
    4:Nonspecific_Reader_Error 5:Incorrect_Password_Error 6:Tag_Memory_Overrun_Error
C1G2GetBlockPermalockStatusResultType = 0:Success 1:Nonspecific_Tag_Error 2:No_Response_From_Tag
    3:Nonspecific_Reader_Error 4:Incorrect_Password_Error 5:Tag_Memory_Overrun_Error
ImpinjRequestedDataType = 1000:All_Capabilities 1001:Impinj_Detailed_Version 1002:Impinj_Frequency_Capabilities
    1003:Impinj_Array_Capabilities 2000:All_Configuration 2001:Impinj_Sub_Regulatory_Region
    2003:Impinj_GPI_Debounce_Configuration 2004:Impinj_Reader_Temperature 2005:Impinj_Link_Monitor_Configuration
    2006:Impinj_Report_Buffer_Configuration 2007:Impinj_Access_Spec_Configuration 2008:Impinj_GPS_NMEA_Sentences
    2009:Impinj_Advanced_GPO_Configuration 2012:Impinj_Antenna_Configuration
ImpinjInventorySearchType = 0:Reader_Selected 1:Single_Target 2:Dual_Target 3:Single_Target_With_Suppression
ImpinjFixedFrequencyMode = 0:Disabled 1:Auto_Select 2:Channel_List
ImpinjMode = 0:Disabled 1:Enabled
ImpinjReportBufferMode = 0:Normal 1:Low_Latency
ImpinjAccessSpecOrderingMode = 0:FIFO 1:Ascending
ImpinjAdvancedGPOMode = 0:Normal 1:Pulsed 2:Reader_Operational_Status 3:LLRP_Connection_Status
ImpinjHubConnectedType = 0:Unknown 1:Disconnected 2:Connected
ImpinjHubFaultType = 0:No_Fault 1:RF_Power 2:RF_Power_On_Hub_1 3:RF_Power_On_Hub_2 4:RF_Power_On_Hub_3
    5:RF_Power_On_Hub_4 6:No_Init 7:Serial_Overflow 8:Disconnected
MotoStopTrigger = 0:Dwell_Time 1:Number_Inventory_Cycles
MotoTagEventType = 0:Unknown 1:New_Tag_Visible 2:Tag_Not_Visible 3:Visibility_Changed 4:Moving 5:Stationary
"""
