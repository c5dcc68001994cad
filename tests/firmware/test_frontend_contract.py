"""What the C front end takes from the feature contract is what the contract says today."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import pywt

from edge.node import contract
from edge.node.contract import FRONTEND, render_contract, render_tables, write_generated
from features.contract import NODE
from features.errors import ParameterError


def test_the_committed_files_are_those_of_the_generator(tmp_path: Path) -> None:
    assert (FRONTEND / "rw_feature_contract.h").read_text() == render_contract()
    assert (FRONTEND / "rw_tables.c").read_text() == render_tables()
    write_generated(tmp_path)
    assert (tmp_path / "rw_feature_contract.h").read_text() == render_contract()
    assert (tmp_path / "rw_tables.c").read_text() == render_tables()


def test_a_compiler_reads_names_order_count_and_hash(tmp_path: Path) -> None:
    source = tmp_path / "main.c"
    source.write_text(
        """
        #include <stdio.h>
        #include "rw_feature_contract.h"
        int main(void)
        {
            static const unsigned char hash[RW_FEATURE_HASH_BYTES] = RW_FEATURE_HASH;
            for (int i = 0; i < RW_FEATURE_HASH_BYTES; ++i) {
                printf("%02x", hash[i]);
            }
            printf(" %d\\n", RW_N_FEATURES);
        #define ROW(identifier, name, unit, needs) printf("%d %s %s %d\\n", RW_FEATURE_##identifier, name, unit, needs);
            RW_FEATURES(ROW)
            return 0;
        }
        """
    )
    program = tmp_path / "main"
    subprocess.run(["gcc", "-std=c11", "-Wall", "-Werror", f"-I{FRONTEND}", source, "-o", program], check=True)
    head, *rows = subprocess.run([program], check=True, capture_output=True, text=True).stdout.splitlines()
    assert head == f"{NODE.hash} {len(NODE.features)}"
    assert rows == [f"{i} {f.name} {f.unit} {len(f.needs)}" for i, f in enumerate(NODE.features)]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("octave_bands", 8),
        ("wavelet", "db8"),
        ("wavelet_level", 5),
        ("envelope_from_share_of_nyquist", 0.2),
        ("envelope_lines_to_share_of_nyquist", 0.5),
    ],
)
def test_a_constant_that_the_code_is_not_written_for_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: object
) -> None:
    monkeypatch.setitem(contract.CONSTANTS, name, value)
    with pytest.raises(ParameterError, match=f"{name} of the contract is {value}, the C front end is written for"):
        render_contract()


def test_a_constant_that_the_code_takes_changes_the_header(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(contract.CONSTANTS, "slip", 0.03)
    assert "#define RW_SLIP {0.03f, " in render_contract()


def test_a_wavelet_of_another_response_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    coiflet = pywt.Wavelet("coif1")
    monkeypatch.setattr(contract.pywt, "Wavelet", lambda _: coiflet)
    with pytest.raises(ParameterError, match="coif1 has not the squared response of a Daubechies wavelet"):
        render_contract()


def test_the_lower_edge_of_the_velocity_is_that_of_its_definition() -> None:
    definition = NODE.features[NODE.index("velocity_rms")].definition
    (edge,) = re.findall(r"from (\d+) Hz", definition)
    assert f"#define RW_VELOCITY_LOW_HZ {edge}.0f\n" in render_contract()
