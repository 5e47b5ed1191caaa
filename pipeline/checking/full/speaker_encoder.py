"""GE2E speaker encoder (arXiv:1710.10467): 256 numbers that are alike for one voice.

The weights are Resemblyzer's (Apache-2.0): an LSTM of three layers over mel spectra, run by numpy. Utterances
are cut into partials of 1.6 s, whose mean embedding is normalised.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.arrays import Samples
from pipeline.checking.full import packages, torch_file

SAMPLE_RATE_HZ = 16_000
PACKAGE = "resemblyzer"
_HOP = 160
_WINDOW = 400
_MELS = 40
_LAYERS = 3
_HIDDEN = 256
_PARTIAL = 160
"""Frames of a partial."""
_STEP = 77
"""Frames between partials: 1.3 partials per second."""
_COVERED_MIN = 0.75
"""Share of the last partial that must be sound."""
_LEVEL_DB = -30.0
"""Level to which quiet sound is raised, in dB of full scale."""

Embedding = npt.NDArray[np.float32]
Frames = npt.NDArray[np.float32]


class SpeakerEncoder:
    """Weights of the encoder."""

    def __init__(self) -> None:
        names = [
            f"lstm.{part}_l{layer}"
            for layer in range(_LAYERS)
            for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        ]
        self.weights = torch_file.read(
            weights_file(), [*names, "linear.weight", "linear.bias"], under="model_state"
        )

    def embed(self, samples: Samples) -> Embedding:
        """Embed speech: `embed_all` of one utterance."""
        found: Embedding = self.embed_all([samples])[0]
        return found

    def embed_all(self, utterances: Sequence[Samples]) -> Embedding:
        """Embed utterances in one batch.

        Args:
            utterances: (n,), mono, at 16 kHz, each of any length.

        Returns:
            (utterances, 256), float32, each of length 1.
        """
        cut = [_partials(_mel(_raised(samples))) for samples in utterances]
        states = self._network(np.concatenate(cut))
        raw = np.maximum(states @ self.weights["linear.weight"].T + self.weights["linear.bias"], 0.0)
        raw /= np.maximum(np.linalg.norm(raw, axis=1, keepdims=True), 1e-9)
        ends = np.cumsum([len(part) for part in cut])[:-1]
        means = np.stack([part.mean(axis=0) for part in np.split(raw, ends)])
        found: Embedding = (means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-9)).astype(
            np.float32
        )
        return found

    def _network(self, partials: Frames) -> Frames:
        """Last hidden states, (partials, 256), of the network over (partials, 160, 40)."""
        batch = partials.transpose(1, 0, 2)
        for layer in range(_LAYERS):
            batch = self._lstm(layer, batch)
        last: Frames = batch[-1]
        return last

    def _lstm(self, layer: int, inputs: Frames) -> Frames:
        """One layer over (frames, partials, features); gates in the order input, forget, cell, output."""
        recurrent = self.weights[f"lstm.weight_hh_l{layer}"].T
        bias = self.weights[f"lstm.bias_ih_l{layer}"] + self.weights[f"lstm.bias_hh_l{layer}"]
        driven = inputs @ self.weights[f"lstm.weight_ih_l{layer}"].T + bias
        hidden = cell = np.zeros((inputs.shape[1], _HIDDEN), np.float32)
        states = np.empty((len(inputs), inputs.shape[1], _HIDDEN), np.float32)
        for frame, drive in enumerate(driven):
            gates = drive + hidden @ recurrent
            entering, keeping, leaving = (
                _sigmoid(gates[:, i * _HIDDEN : (i + 1) * _HIDDEN]) for i in (0, 1, 3)
            )
            cell = keeping * cell + entering * np.tanh(gates[:, 2 * _HIDDEN : 3 * _HIDDEN])
            states[frame] = hidden = leaving * np.tanh(cell)
        return states


def weights_file() -> Path:
    """File of the weights.

    Raises:
        MissingPackageError: the package is not installed.
    """
    return packages.need(PACKAGE, PACKAGE) / "pretrained.pt"


def _partials(frames: Frames) -> Frames:
    """Cut (frames, 40) into (partials, 160, 40), the last one filled up with silence."""
    starts = list(range(0, max(1, len(frames) - _PARTIAL + _STEP + 1), _STEP))
    if len(starts) > 1 and len(frames) - starts[-1] < _COVERED_MIN * _PARTIAL:
        starts.pop()
    padded = np.pad(frames, ((0, max(0, starts[-1] + _PARTIAL - len(frames))), (0, 0)))
    return np.stack([padded[start : start + _PARTIAL] for start in starts])


@cache
def speaker_encoder() -> SpeakerEncoder:
    """Load the encoder once per process."""
    return SpeakerEncoder()


def _sigmoid(values: Frames) -> Frames:
    found: Frames = 0.5 * (1.0 + np.tanh(0.5 * values))
    return found


def _raised(samples: Samples) -> Samples:
    """Raise quiet sound to the level of the training data."""
    rms = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0.0
    gain_db = _LEVEL_DB - 20 * np.log10(max(rms, 1e-9))
    raised: Samples = samples * np.float32(10 ** (max(0.0, gain_db) / 20))
    return raised


def _mel(samples: Samples) -> Frames:
    """Mel power spectra, (frames, 40): Hann windows of 25 ms every 10 ms, Slaney's filters."""
    padded = np.pad(samples.astype(np.float32), _WINDOW // 2)
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP]
    hann = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_WINDOW) / _WINDOW)).astype(np.float32)
    power = np.square(np.abs(np.fft.rfft(windows * hann, axis=1)))
    found: Frames = (power @ _filters().T).astype(np.float32)
    return found


@cache
def _filters() -> Frames:
    """Slaney's triangular filters of unit area, (40, 201)."""
    edges_hz = _hertz(np.linspace(0.0, _mels(SAMPLE_RATE_HZ / 2), _MELS + 2))
    bins_hz = np.fft.rfftfreq(_WINDOW, 1 / SAMPLE_RATE_HZ)
    low, centre, high = edges_hz[:-2, None], edges_hz[1:-1, None], edges_hz[2:, None]
    rising, falling = (bins_hz - low) / (centre - low), (high - bins_hz) / (high - centre)
    filters: Frames = (np.maximum(0.0, np.minimum(rising, falling)) * 2 / (high - low)).astype(np.float32)
    return filters


_LINEAR_HZ = 200 / 3
_BREAK_HZ = 1000.0
_LOG_STEP = np.log(6.4) / 27
"""Slaney's mel scale: linear below 1 kHz, then 27 steps for a factor of 6.4."""


def _mels(hertz: float) -> float:
    return float(_BREAK_HZ / _LINEAR_HZ + np.log(hertz / _BREAK_HZ) / _LOG_STEP)


def _hertz(mels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    above = mels - _BREAK_HZ / _LINEAR_HZ
    return np.where(above < 0, mels * _LINEAR_HZ, _BREAK_HZ * np.exp(np.maximum(above, 0.0) * _LOG_STEP))
