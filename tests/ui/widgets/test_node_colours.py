"""The colours of node states can be distinguished with colour blindness, on a light and on a dark page."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest

from batchimg_magics.pool_spec.words import NODE_STATES
from batchimg_magics.ui.widgets.colours import state_colour

#: What eyes see that lack one kind of cones. Source: Machado, Oliveira, Fernandes, "A Physiologically-based Model for
#: Simulation of Color Vision Deficiency", 2009, severity 1.0.
EYES = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
#: Linear sRGB to CIE XYZ, and the white that it is relative to.
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = np.array([0.9505, 1.0, 1.089])
#: In CIE Lab; about 2.3 is what can just be told apart. Okabe and Ito's own nearest two are 16 apart.
LEAST = 15.0
PAGES = {"light page": "#ffffff", "dark page": "#111111"}


def seen(text: str, eye: str) -> Any:
    """Return a colour's place in CIE Lab as an eye sees it."""
    parts = np.array([int(text[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    ratio = XYZ @ np.clip(EYES[eye] @ linear, 0, 1) / WHITE
    x, y, z = np.where(ratio > 0.008856, np.cbrt(ratio), 7.787 * ratio + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("eye", EYES)
def test_each_two_states_can_be_distinguished(eye: str) -> None:
    looks = {state: seen(state_colour(state), eye) for state in NODE_STATES}
    looks |= {name: seen(text, eye) for name, text in PAGES.items()}
    near = {(a, b): float(np.linalg.norm(looks[a] - looks[b])) for a, b in combinations(looks, 2)}
    assert {pair: apart for pair, apart in near.items() if apart < LEAST} == {}


def test_every_state_of_azure_has_its_own_colour() -> None:
    assert len({state_colour(state) for state in [*NODE_STATES, "a state that nobody foresaw"]}) == len(NODE_STATES) + 1
