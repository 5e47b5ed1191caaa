"""JIT compilation of kernels with LLVM's MCJIT."""

from collections.abc import Callable, Mapping
from pathlib import Path

import llvmlite
import llvmlite.binding as llvm
from llvmlite import ir

from pipeline.engines.vibevoice.kernels import attention_ir, gemm_ir, rms_norm_ir
from pipeline.engines.vibevoice.runtime import allocator

EXTERNALS = ("omp_get_thread_num", "omp_get_num_threads")
"""External functions that kernels call."""
IR_GENERATORS: dict[str, Callable[..., None]] = {
    "attention": attention_ir.write,
    "norm": rms_norm_ir.write,
    "product": gemm_ir.write,
}


def initialise(outside: Mapping[str, int]) -> None:
    """Initialise LLVM, once per process.

    Args:
        outside: addresses of the external functions.
    """
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    for name, address in outside.items():
        llvm.add_symbol(name, address)


class Kernel:
    """Compiled kernel: `address` is that of a function that every thread calls with the arguments."""

    def __init__(self, name: str, **sizes: int) -> None:
        machine = llvm.Target.from_default_triple().create_target_machine(
            cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=3, jit=True
        )
        self.engine = llvm.create_mcjit_compiler(optimise(generate_ir(name, **sizes), machine), machine)
        self.engine.finalize_object()
        self.address: int = self.engine.get_function_address(name)
        allocator.page_out(Path(llvmlite.__file__).parent.name)


def generate_ir(name: str, **sizes: int) -> ir.Module:
    """Generate the LLVM IR of a kernel.

    Args:
        sizes: compile-time constants of the kernel.
    """
    module = ir.Module(name)
    IR_GENERATORS[name](module, name, **sizes)
    return module


def optimise(module: ir.Module, machine: llvm.TargetMachine) -> llvm.ModuleRef:
    """Verify a module and run LLVM's optimisation passes for a machine.

    Raises:
        RuntimeError: the module is invalid.
    """
    parsed = llvm.parse_assembly(str(module))
    parsed.verify()
    passes = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=3))
    passes.getModulePassManager().run(parsed, passes)
    return parsed
