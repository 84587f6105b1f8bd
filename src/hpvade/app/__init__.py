"""A local web page for the main job: choose files, look at the check, run, read the report, download."""

from hpvade.app._guard import is_loopback
from hpvade.app._serve import serve

__all__ = ["is_loopback", "serve"]
