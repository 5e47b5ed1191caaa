"""All kernels, written and compiled."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import llvmlite
import llvmlite.binding as llvm
from llvmlite import ir

from pipeline.engines.vibevoice import allocator
from pipeline.engines.vibevoice.native import norm_kernel, product_kernel

KERNELS: dict[str, Callable[[ir.Module, str], None]] = {
    "product": product_kernel.write,
    "norm": norm_kernel.write,
}


def compiled(outside: Mapping[str, int]) -> Any:
    """LLVM's execution engine, with a function for each of `KERNELS`.

    Args:
        outside: the addresses of what they call, by name.
    """
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    for name, address in outside.items():
        llvm.add_symbol(name, address)
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=3, jit=True
    )
    written = ir.Module("kernels")
    for name, write in KERNELS.items():
        write(written, name)
    parsed = llvm.parse_assembly(str(written))
    passes = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=3))
    passes.getModulePassManager().run(parsed, passes)
    engine = llvm.create_mcjit_compiler(parsed, machine)
    engine.finalize_object()
    allocator.page_out(Path(llvmlite.__file__).parent.name)
    return engine
