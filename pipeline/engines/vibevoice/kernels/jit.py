"""Kernels, written and compiled."""

from collections.abc import Callable, Mapping
from pathlib import Path

import llvmlite
import llvmlite.binding as llvm
from llvmlite import ir

from pipeline.engines.vibevoice.kernels import attention_ir, gemm_ir, rms_norm_ir
from pipeline.engines.vibevoice.runtime import allocator

OUTSIDE = ("omp_get_thread_num", "omp_get_num_threads")
"""What they call."""
WRITERS: dict[str, Callable[..., None]] = {
    "attention": attention_ir.write,
    "norm": rms_norm_ir.write,
    "product": gemm_ir.write,
}


def begin(outside: Mapping[str, int]) -> None:
    """Once in a process; `outside`: the addresses of what the kernels call."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    for name, address in outside.items():
        llvm.add_symbol(name, address)


class Kernel:
    """A function for every thread of a job, at an address."""

    def __init__(self, name: str, **sizes: int) -> None:
        machine = llvm.Target.from_default_triple().create_target_machine(
            cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=3, jit=True
        )
        self.engine = llvm.create_mcjit_compiler(optimised(written(name, **sizes), machine), machine)
        self.engine.finalize_object()
        self.address: int = self.engine.get_function_address(name)
        allocator.page_out(Path(llvmlite.__file__).parent.name)


def written(name: str, **sizes: int) -> ir.Module:
    """A kernel in LLVM's language."""
    module = ir.Module(name)
    WRITERS[name](module, name, **sizes)
    return module


def optimised(module: ir.Module, machine: llvm.TargetMachine) -> llvm.ModuleRef:
    """The module as LLVM's passes leave it for a machine.

    Raises:
        RuntimeError: LLVM refuses it.
    """
    parsed = llvm.parse_assembly(str(module))
    parsed.verify()
    passes = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=3))
    passes.getModulePassManager().run(parsed, passes)
    return parsed
