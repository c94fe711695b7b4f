"""Reads what `mutmut export-cicd-stats` wrote, and fails if too many mutants survived: `make mutate`."""

import json
import sys
from pathlib import Path

STATS = Path("mutants/mutmut-cicd-stats.json")
LEAST_KILLED = 0.95

stats = json.loads(STATS.read_text())
noticed = stats["killed"] + stats["timeout"] + stats["segfault"]
share = noticed / (stats["total"] - stats["skipped"])
print(f"{noticed} of {stats['total'] - stats['skipped']} mutants killed: {share:.1%}")
sys.exit(share < LEAST_KILLED)
