"""The RFID gateway: what was read becomes what moved, kept on disk and published over MQTT."""
