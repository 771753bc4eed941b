"""An application at a place, asked without a server; `Api` says what most tests want to say."""

import json
from datetime import timedelta
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from tearsheet.web import create_app
from tests.support.compiled_once import share_templates
from tests.support.place import NOON, Place


def fill(number: int, side: str = "BUY", price: Any = 100, **more: Any) -> dict[str, Any]:
    """A fill as it is posted; the number settles its time and id."""
    at = NOON + timedelta(minutes=number)
    return {
        "account": "A",
        "symbol": "MSFT",
        "time": at.isoformat().replace("+00:00", "Z"),
        "side": side,
        "quantity": 1,
        "price": price,
        "fill_id": f"F{number}",
        **more,
    }


class Api:
    """An application and its place."""

    def __init__(self, place: Place, **env: str) -> None:
        self.place = place
        self.app: Flask = share_templates(create_app(place.settings(**env), lambda: place.now))
        self.client = self.app.test_client()

    def get(self, path: str, status: int = 200, **headers: str) -> Any:
        """The JSON of an answer that must have this status."""
        response = self.ask("GET", path, **headers)
        assert response.status_code == status, response.text
        return json.loads(response.text)

    def ask(self, method: str, path: str, **headers: str) -> TestResponse:
        """A response."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.open(path, method=method, headers=named)

    def post(self, path: str, content: Any, status: int = 201, **headers: str) -> Any:
        """Send JSON."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        response = self.client.post(path, json=content, headers=named)
        assert response.status_code == status, response.text
        return json.loads(response.text)

    def fills(self, *fills: dict[str, Any], status: int = 201, **headers: str) -> Any:
        """Post fills."""
        return self.post("/api/fills", list(fills), status, **headers)
