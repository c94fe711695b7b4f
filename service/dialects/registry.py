"""The dialects that the service speaks. A new one is a package beside these and a line here; nothing else names all."""

from service.dialects.bota.dialect import BOTA
from service.dialects.dialect import Dialect
from service.dialects.dorsum.dialect import DORSUM
from service.dialects.dragon.dialect import DRAGON

DIALECTS: tuple[Dialect, ...] = (BOTA, DORSUM, DRAGON)
"""In the order of the API reference and of the settings. The first also answers where a path is nobody's."""
