"""A local web page for the main job: choose files, review the check, run, read the report, download."""

from hpvade.app._access import is_loopback
from hpvade.app._server import serve

__all__ = ["is_loopback", "serve"]
