from __future__ import annotations

import subprocess
import sys

import pytest

BEGIN = "import sys; from bi.dashboard.__main__ import UNUSED, Refuse; sys.meta_path.insert(0, Refuse(*UNUSED)); "


@pytest.mark.parametrize(
    "use",
    [
        "import pyarrow; assert pyarrow.table(pyarrow.table({'a': [1]})).num_rows == 1",  # asks whether pandas is there
        "import snowflake.connector",
    ],
)
def test_libraries_work_without_the_modules_that_the_page_does_not_load(use: str) -> None:
    code = f"{BEGIN}{use}; assert not set(UNUSED) & set(sys.modules)"
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert made.returncode == 0, made.stderr
