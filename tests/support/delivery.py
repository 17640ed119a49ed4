"""The commands of delivery (quarantine, resend) as the intake calls them, for a service that is made after them."""

from __future__ import annotations

from typing import Any

from gateway.ledger.ledger import Ledger
from gateway.mqtt.service import MqttService
from gateway.service.delivery import DeliveryCommands


class Delivery:
    """`names` and `handle` are for the service, which is given to `sender` once it runs."""

    sender: MqttService

    def __init__(self, ledger: Ledger) -> None:
        self._handlers = DeliveryCommands(ledger, lambda: self.sender).handlers
        self.names = list(self._handlers)

    async def handle(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        return await self._handlers[name](arguments)
