"""Counters of Linux and of NVIDIA's driver, as a process reads them."""
