"""What operations ask for: logs, metrics, health, and systemd's notifications."""
