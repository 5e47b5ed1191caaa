from pipeline.engines.vibevoice import device
from tasks.worker import devices


def test_workers_reckon_with_the_slots_of_the_engine() -> None:
    assert (devices.SLOTS_GPU, devices.SLOTS_CPU) == (device.SLOTS_CUDA, device.SLOTS_CPU)
