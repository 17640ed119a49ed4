"""The daemon itself under load: readers at real sockets, session, journal, floor, checkpoints, MQTT to a mosquitto."""
