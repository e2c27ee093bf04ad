"""How a store of locks is reached: what is left empty comes from the AWS settings of this user."""

from __future__ import annotations

from urllib.parse import urlsplit

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QLineEdit, QWidget

from cachewright.model import Access
from cachewright_gui.dialogs.fields import lay_out


class AccessFields(QWidget):
    """Endpoint, profile, region and path style; never a secret."""

    changed = Signal()

    def __init__(self, start: Access | None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._start = start or Access()
        self.endpoint = QLineEdit(self._start.endpoint_url or "")
        self.endpoint.setPlaceholderText("http://localhost:9000; empty for AWS itself")
        self.profile = QLineEdit(self._start.profile or "")
        self.region = QLineEdit(self._start.region or "")
        self.bucket = QComboBox()
        for words, value in (
            ("Wherever the settings say", None),
            ("In the path: host/bucket", True),
            ("In the host: bucket.host", False),
        ):
            self.bucket.addItem(words, value)
        self.bucket.setCurrentIndex(max(self.bucket.findData(self._start.path_style), 0))
        lay_out(
            self,
            (
                ("Endpoint", self.endpoint),
                ("Profile", self.profile),
                ("Region", self.region),
                ("Bucket name", self.bucket),
            ),
            "What is left empty comes from your AWS settings and environment. Passwords and keys "
            "are read from there too, and are never kept here.",
        )
        for line in (self.endpoint, self.profile, self.region):
            line.textChanged.connect(self.changed)

    @property
    def access(self) -> Access:
        return Access(
            endpoint_url=self.endpoint.text().strip() or None,
            profile=self.profile.text().strip() or None,
            region=self.region.text().strip() or None,
            path_style=self.bucket.currentData(),
            timeout_s=self._start.timeout_s,
        )

    @property
    def problem(self) -> str:
        """Why these cannot be used, in one sentence; empty where they can."""
        endpoint = self.access.endpoint_url
        if endpoint is None:
            return ""
        try:
            parts = urlsplit(endpoint)
            usable = parts.scheme in {"http", "https"} and bool(parts.hostname)
        except ValueError:
            return "The endpoint is no web address."
        if not usable:
            return "The endpoint begins with http:// or https:// and a host."
        if "@" in parts.netloc or parts.query or parts.fragment:
            return "The endpoint must not hold a password: it is kept in the settings."
        return ""
