"""The types of the console's modules, as TypeScript sees them. Nothing is compiled: browsers get them as they are."""

import json
import subprocess

import pytest

from tests.left_out import needed
from tests.places import REPOSITORY
from tests.tools.typescript import fetched

CONSOLE = REPOSITORY / "service" / "console"
PURPOSE = "checks the types of the console's modules"
SECONDS = 300

WRONG = """
import { ApiError } from "%s/web/api.js";
new ApiError("404", "none", "None.", {});
"""


@pytest.mark.slow
def test_the_types_of_the_consoles_modules_hold_and_a_wrong_one_beside_them_is_found(tmp_path):
    node, npm = needed("node", PURPOSE), needed("npm", PURPOSE)
    settings = json.loads((CONSOLE / "tsconfig.json").read_bytes())
    paths = {name: [f"{CONSOLE}/{path}" for path in settings[name]] for name in ("include", "exclude")}
    paths["include"].append("wrong.js")
    (tmp_path / "tsconfig.json").write_text(json.dumps({"extends": f"{CONSOLE}/tsconfig.json"} | paths))
    (tmp_path / "wrong.js").write_text(WRONG % CONSOLE)
    ran = subprocess.run(
        [node, fetched(npm), "--pretty", "false"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert ran.stdout.splitlines() == [
        "wrong.js(3,14): error TS2345: Argument of type 'string' is not assignable to parameter of type 'number'."
    ]
