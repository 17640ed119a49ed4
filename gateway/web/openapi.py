"""The description of the API (OpenAPI 3.1), made from the models that check the questions and give the answers."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic.json_schema import models_json_schema

from gateway import __version__
from gateway.history.asking import QUESTIONS

_REFERENCE = "#/components/schemas/{model}"


@cache
def describe() -> dict[str, Any]:
    """The whole document. It is the same for everybody: do not change it."""
    answers = [(kind.answer, "serialization") for kind in QUESTIONS.values()]
    names, definitions = models_json_schema(answers, ref_template=_REFERENCE)  # type: ignore[arg-type]
    error = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
    paths = {}
    for name, kind in QUESTIONS.items():
        answer = names[kind.answer, "serialization"]
        paths[f"/api/v1/{name}"] = {
            "get": {
                "operationId": name,
                "summary": " ".join((kind.question.__doc__ or "").split()),
                "parameters": _parameters(kind.question.model_json_schema(by_alias=False)),
                "responses": {
                    "200": {
                        "description": " ".join((kind.answer.__doc__ or "").split()),
                        "content": {"application/json": {"schema": answer}},
                    },
                    **{
                        status: {"description": words, "content": {"application/json": {"schema": error}}}
                        for status, words in _ERRORS.items()
                    },
                },
            }
        }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "rfid-gateway: the history",
            "version": __version__,
            "description": "Where packages are and how they came there. Read-only.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": definitions["$defs"],
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token of the token file. Browsers use their login.",
                }
            },
        },
    }


_ERRORS = {
    "400": "The question is wrong, or cannot be answered now; the error says why.",
    "401": "Nobody who may ask.",
    "429": "Too many wrong tokens.",
}


def _parameters(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """The arguments of a question as query parameters; times are text there."""
    parameters = []
    for name, described in schema["properties"].items():
        if name == "request":
            continue
        moment = name in ("at", "before")
        kind = {"type": "string", "format": "date-time"} if moment else _kind(described)
        parameters.append(
            {
                "name": name,
                "in": "query",
                "required": name in schema.get("required", []),
                "schema": kind,
                **({"description": described["description"]} if "description" in described else {}),
            }
        )
    return parameters


def _kind(described: dict[str, Any]) -> dict[str, Any]:
    """The schema of a value, without what belongs to the parameter."""
    chosen = next((kind for kind in described.get("anyOf", []) if kind.get("type") != "null"), described)
    return {key: value for key, value in chosen.items() if key not in ("title", "description")}
