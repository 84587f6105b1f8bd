from . import datasets as datasets
from . import deconvolve as deconvolve
from . import io as io
from . import metrics as metrics
from . import pl as pl
from . import pp as pp
from . import results as results
from . import schema as schema
from . import simulate as simulate
from . import testing as testing
from . import tl as tl
from . import world as world
from .model import HPVADE as HPVADE

__version__: str
