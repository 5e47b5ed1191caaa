"""Builder of LLVM IR with the vector operations that the kernels share.

A kernel is a function of the address of its arguments. Every thread calls it and computes its share.
"""

import ctypes
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

LANES = 16
"""float32 elements of a register."""
HALF_BYTES = 2

EXP = (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 0.5, 1.0, 1.0)
ERF = (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592, 0.0)

BYTE, PAIR, COUNT, FLOAT = *(ir.IntType(width) for width in (8, 32, 64)), ir.FloatType()
POINTER = ir.PointerType()
FLOATS, INTEGERS = ir.VectorType(FLOAT, LANES), ir.VectorType(PAIR, LANES)


class _Bfloat(ir.Type):  # type: ignore[misc]  # llvmlite is untyped
    """LLVM's bfloat type, which llvmlite lacks."""

    def _to_string(self) -> str:
        return "bfloat"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Bfloat)

    def __hash__(self) -> int:
        return hash(_Bfloat)


HALVES, PAIRS = ir.VectorType(_Bfloat(), LANES), ir.VectorType(_Bfloat(), 2 * LANES)


def declare(module: ir.Module, name: str, result: Any, types: Sequence[Any]) -> Any:
    """Declare an external function, once per module."""
    found = module.globals.get(name)
    return ir.Function(module, ir.FunctionType(result, types), name) if found is None else found


class KernelBuilder(ir.IRBuilder):  # type: ignore[misc]  # llvmlite is untyped
    """llvmlite's IR builder with loops, variables and vector operations."""

    @contextmanager
    def loop(self, start: Any, end: Any, step: int = 1) -> Iterator[Any]:
        """Generate a loop over start, start + step, … below end; the body of `with` is the loop's."""
        counter = self.variable(start)
        test, body, after = (self.append_basic_block() for _ in range(3))
        self.branch(test)
        self.position_at_end(test)
        now = self.load(counter, typ=COUNT)
        self.cbranch(self.icmp_unsigned("<", now, end), body, after)
        self.position_at_end(body)
        yield now
        self.store(self.add(now, COUNT(step)), counter)
        self.branch(test)
        self.position_at_end(after)

    def variable(self, value: Any) -> Any:
        """Allocate a variable, which LLVM promotes to a register."""
        with self.goto_entry_block():
            place = self.alloca(value.type)
        self.store(value, place)
        return place

    def offset(self, address: Any, offset_bytes: Any) -> Any:
        """Add bytes to an address."""
        return self.gep(address, [offset_bytes], source_etype=BYTE)

    def minimum(self, x: Any, y: Any) -> Any:
        """Compute the smaller of two unsigned integers."""
        return self.select(self.icmp_unsigned("<", x, y), x, y)

    # -- vectors of 16 elements --------------------------------------------------------------------------

    def load_bf16(self, address: Any) -> Any:
        """Load bfloat16 elements as float32."""
        return self.fpext(self.load(address, typ=HALVES, align=HALF_BYTES), FLOATS)

    def store_bf16(self, numbers: Any, address: Any) -> None:
        """Store float32 elements as bfloat16, rounded to nearest."""
        narrow = declare(self.module, "llvm.x86.avx512bf16.cvtneps2bf16.512", HALVES, [FLOATS])
        self.store(self.call(narrow, [numbers]), address, align=HALF_BYTES)

    def dot(self, totals: Any, x: Any, y: Any) -> Any:
        """Add to each accumulator the dot product of a pair of x and a pair of y, both PAIRS."""
        made = declare(self.module, "llvm.x86.avx512bf16.dpbf16ps.512", FLOATS, [FLOATS, PAIRS, PAIRS])
        return self.call(made, [totals, x, y])

    def broadcast(self, number: Any) -> Any:
        """Broadcast a scalar to all lanes."""
        kind = ir.VectorType(number.type, LANES)
        one = self.insert_element(kind(ir.Undefined), number, PAIR(0))
        return self.shuffle_vector(one, kind(ir.Undefined), INTEGERS(None))

    def reduce_sum(self, numbers: Any) -> Any:
        """Sum all lanes; the result is in every lane."""
        return self._reduce(numbers, self.fadd)

    def reduce_max(self, numbers: Any) -> Any:
        """Find the maximum of all lanes; the result is in every lane."""
        return self._reduce(numbers, lambda some, others: self.intrinsic("maxnum", some, others))

    def first_lane(self, numbers: Any) -> Any:
        """Extract the first lane."""
        return self.extract_element(numbers, PAIR(0))

    def intrinsic(self, name: str, *numbers: Any) -> Any:
        """Call an intrinsic of LLVM on every lane."""
        made = declare(self.module, f"llvm.{name}.v{LANES}f32", FLOATS, [FLOATS] * len(numbers))
        return self.call(made, numbers)

    def exp(self, x: Any) -> Any:
        """Compute e^x as 2^n e^r, like Cephes' expf: within 2 ulp, clamped to e^-87 and e^88."""
        x = self.intrinsic("minnum", self.intrinsic("maxnum", x, splat(-87.0)), splat(88.0))
        n = self.intrinsic("roundeven", self.fmul(x, splat(1.44269504)))
        high = self.intrinsic("fma", n, splat(-0.693359375), x)
        r = self.intrinsic("fma", n, splat(2.12194440e-4), high)
        power = self.shl(self.add(self.fptosi(n, INTEGERS), INTEGERS([127] * LANES)), INTEGERS([23] * LANES))
        return self.fmul(self._polynomial(r, EXP), self.bitcast(power, FLOATS))

    def silu(self, x: Any) -> Any:
        """Compute x / (1 + e^-x)."""
        return self.fdiv(x, self.fadd(splat(1.0), self.exp(self.fneg(x))))

    def gelu(self, x: Any) -> Any:
        """Compute x / 2 (1 + erf(x / sqrt 2)), with erf by Abramowitz and Stegun, 7.1.26, within 1.5e-7."""
        z = self.fmul(x, splat(0.5**0.5))
        below = self.intrinsic("fma", self.intrinsic("fabs", z), splat(0.3275911), splat(1.0))
        t = self.fdiv(splat(1.0), below)
        rest = self.fmul(self._polynomial(t, ERF), self.exp(self.fneg(self.fmul(z, z))))
        erf = self.intrinsic("copysign", self.fsub(splat(1.0), rest), z)
        half = self.fmul(x, splat(0.5))
        return self.intrinsic("fma", half, erf, half)

    def _reduce(self, numbers: Any, join: Callable[[Any, Any], Any]) -> Any:
        for step in (8, 4, 2, 1):
            turned = INTEGERS([(lane + step) % LANES for lane in range(LANES)])
            numbers = join(numbers, self.shuffle_vector(numbers, numbers, turned))
        return numbers

    def _polynomial(self, x: Any, terms: Sequence[float]) -> Any:
        """Evaluate a polynomial by Horner's rule, the highest power first."""
        value = splat(terms[0])
        for term in terms[1:]:
            value = self.intrinsic("fma", value, x, splat(term))
        return value


def splat(number: float) -> Any:
    """Make a constant with a number in every lane."""
    return FLOATS([ctypes.c_float(number).value] * LANES)


@dataclass(frozen=True, slots=True)
class KernelThread:
    """Kernel as seen by one thread: its builder, and its arguments by name, as addresses and integers."""

    b: KernelBuilder
    address: dict[str, Any]
    number: dict[str, Any]

    def index(self) -> Any:
        """Return the thread's index, from 0."""
        return self._call_openmp("omp_get_thread_num")

    def splat(self, word: str) -> Any:
        """Broadcast an argument that was passed with `runtime.float_bits`."""
        b = self.b
        return b.broadcast(b.bitcast(b.trunc(self.number[word], PAIR), FLOAT))

    def partition(self, parts: Any) -> tuple[Any, Any]:
        """Divide parts evenly among the threads; returns this thread's first part and the end."""
        b, thread, threads = self.b, self.index(), self._call_openmp("omp_get_num_threads")
        places = (thread, b.add(thread, COUNT(1)))
        first, end = (b.udiv(b.mul(parts, place), threads) for place in places)
        return first, end

    def _call_openmp(self, name: str) -> Any:
        return self.b.zext(self.b.call(declare(self.b.module, name, PAIR, []), []), COUNT)


def kernel(module: ir.Module, name: str, arguments: Sequence[str]) -> KernelThread:
    """Begin a kernel with these arguments; the caller adds the body and its return."""
    b, (thread,) = function(module, name, [POINTER])
    places = {word: b.offset(thread, COUNT(8 * place)) for place, word in enumerate(arguments)}
    return KernelThread(
        b,
        {word: b.load(place, typ=POINTER) for word, place in places.items()},
        {word: b.load(place, typ=COUNT) for word, place in places.items()},
    )


def function(
    module: ir.Module, name: str, types: Sequence[Any], *, inside: bool = False
) -> tuple[KernelBuilder, Sequence[Any]]:
    """Begin a function without a result.

    Args:
        inside: it is called within the module only.

    Returns:
        The builder of its body, and its arguments.
    """
    made = ir.Function(module, ir.FunctionType(ir.VoidType(), types), name)
    made.linkage = "internal" if inside else ""
    return KernelBuilder(made.append_basic_block()), made.args
