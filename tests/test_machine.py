import sys
from pathlib import Path

import pytest

from advrepl.machine import on_battery


@pytest.mark.skipif(sys.platform != "linux", reason="/sys is Linux's")
def test_a_machine_that_tells_of_no_power_supply_is_not_on_battery(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("psutil._pslinux.POWER_SUPPLY_PATH", str(tmp_path / "none"))
    assert not on_battery()
