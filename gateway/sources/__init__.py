"""Where manifests and expected sets come from beside MQTT: files in folders, and the Metrc API."""
