"""All attacks."""

from tests.tools.soak.abuse.on_the_disk import ON_THE_DISK
from tests.tools.soak.abuse.on_the_service import ON_THE_SERVICE
from tests.tools.soak.abuse.on_workers import ON_WORKERS

BY_NAME = {attack.name: attack for attack in (*ON_WORKERS, *ON_THE_SERVICE, *ON_THE_DISK)}
