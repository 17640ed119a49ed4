"""The section of the configuration that is about alarms: whom they are sent to."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from gateway.config.base import FilePath, Identifier, Section
from gateway.config.cameras import HttpUrl


class WebhookConfig(Section):
    """Where every word about an alarm is sent, in the form of Alertmanager (its ``/api/v2/alerts``) or of ntfy (the
    address of the topic). The token, sent as ``Authorization: Bearer``, is read from `token_file` each time."""

    name: Identifier
    url: HttpUrl
    form: Literal["alertmanager", "ntfy"]
    token_file: FilePath | None = None


def _distinct(webhooks: list[WebhookConfig]) -> list[WebhookConfig]:
    names = [webhook.name for webhook in webhooks]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"the webhook {twice[0]} is there twice: give one another name")
    return webhooks


class AlarmsConfig(Section):
    """Who is told of alarms, beside those who look at the pages."""

    webhooks: Annotated[list[WebhookConfig], Field(max_length=8), AfterValidator(_distinct)] = []
