"""Package gatherer: the library, its two twistd plugins and the commented settings files."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'^__version__ = "(.+)"$', (HERE / "gatherer" / "__init__.py").read_text(), re.MULTILINE)
if VERSION is None:
    raise SystemExit("gatherer/__init__.py does not say __version__")

# What the commands that read captures need beyond the service.
DATA_REQUIRES = ["duckdb>=1.4", "numpy>=2", "matplotlib>=3.9", "tqdm>=4.66"]
TEST_REQUIRES = [
    *DATA_REQUIRES,
    "hypothesis>=6.100",
    "pytest>=8",
    "pytest-twisted>=1.14",
    "pykalshi>=1",
    "selenium>=4.20",
    "pyte>=0.8",
]
# What the message path is compared with; nothing of it is needed to run.
BENCH_REQUIRES = ["picows>=2.3", "websockets>=15", "aiohttp>=3.14", "uvloop>=0.21"]

setup(
    name="gatherer",
    version=VERSION[1],
    description="Capture every message of the Kalshi prediction-market exchange",
    license="MIT",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    # "twisted.plugins" has no __init__.py and must never get one: Twisted merges such folders into its own package.
    packages=[*find_packages(include=["gatherer", "gatherer.*"]), "twisted.plugins"],
    package_data={"gatherer": ["py.typed"], "gatherer.data": ["sql/*.sql"], "gatherer.ops.web": ["static/*"]},
    data_files=[
        ("share/gatherer", ["conf/gatherer.toml", "conf/demo-exchange.toml"]),
        ("share/gatherer/systemd", ["conf/systemd/gatherer.service"]),
        ("share/gatherer/prometheus", [f"conf/prometheus/{name}.yml" for name in ("alerts", "alerts_test", "inhibit")]),
        ("share/gatherer/grafana", ["conf/grafana/gatherer.json"]),
    ],
    zip_safe=False,
    # "compat" puts the checkout itself on the path: only so does twistd find the plugins, and trial the tests.
    options={"editable_wheel": {"mode": "compat"}},
    install_requires=[
        "twisted[tls,conch]>=25.5",
        "autobahn>=26.10",
        "treq>=24.9",
        "zope.interface>=7",
        "msgspec>=0.19",
        "cryptography>=43",
        "pyopenssl>=24.2",
        "service-identity>=24.1",
        "zstandard>=0.23",
        "prometheus-client>=0.21",
        "tzdata>=2024.1",
    ],
    entry_points={"console_scripts": ["gatherer = gatherer.cli:main"]},
    extras_require={"data": DATA_REQUIRES, "test": TEST_REQUIRES, "bench": BENCH_REQUIRES},
    classifiers=[
        "Framework :: Twisted",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Typing :: Typed",
    ],
)
