"""Writing LLVM's language: what the kernels have in common.

A kernel is a function of a job's address, which every thread runs for its part of the job.
"""

import ctypes
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

LANES = 16
"""Numbers of float32 in a register."""
HALF_BYTES = 2

EXP = (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 0.5, 1.0, 1.0)
ERF = (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592, 0.0)

BYTE, PAIR, COUNT, FLOAT = *(ir.IntType(bits) for bits in (8, 32, 64)), ir.FloatType()
POINTER = ir.PointerType()
FLOATS, INTEGERS = ir.VectorType(FLOAT, LANES), ir.VectorType(PAIR, LANES)


class _Bfloat(ir.Type):  # type: ignore[misc]  # llvmlite is untyped
    """LLVM's bfloat, for which llvmlite has no name."""

    def _to_string(self) -> str:
        return "bfloat"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Bfloat)

    def __hash__(self) -> int:
        return hash(_Bfloat)


HALVES, PAIRS = ir.VectorType(_Bfloat(), LANES), ir.VectorType(_Bfloat(), 2 * LANES)


def declared(module: ir.Module, name: str, result: Any, types: Sequence[Any]) -> Any:
    """A function that is written elsewhere."""
    found = module.globals.get(name)
    return ir.Function(module, ir.FunctionType(result, types), name) if found is None else found


class Writer(ir.IRBuilder):  # type: ignore[misc]  # llvmlite is untyped
    """llvmlite's own writer of instructions, with what these kernels need besides."""

    @contextmanager
    def counted(self, start: Any, end: Any, step: int = 1) -> Iterator[Any]:
        """What is written inside is done for start, start + step, … while below the end."""
        counter = self.cell(start)
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

    def cell(self, value: Any) -> Any:
        """A variable, which LLVM keeps in a register."""
        with self.goto_entry_block():
            place = self.alloca(value.type)
        self.store(value, place)
        return place

    def at(self, address: Any, offset_bytes: Any) -> Any:
        return self.gep(address, [offset_bytes], source_etype=BYTE)

    def least(self, x: Any, y: Any) -> Any:
        return self.select(self.icmp_unsigned("<", x, y), x, y)

    # -- sixteen numbers at once -------------------------------------------------------------------------

    def wide(self, address: Any) -> Any:
        """Of bfloat16 in memory."""
        return self.fpext(self.load(address, typ=HALVES, align=HALF_BYTES), FLOATS)

    def keep(self, numbers: Any, address: Any) -> None:
        """As bfloat16, rounded to the nearest, in memory."""
        narrow = declared(self.module, "llvm.x86.avx512bf16.cvtneps2bf16.512", HALVES, [FLOATS])
        self.store(self.call(narrow, [numbers]), address, align=HALF_BYTES)

    def dot(self, totals: Any, x: Any, y: Any) -> Any:
        """To each total the products of a pair of x and of y, both PAIRS."""
        made = declared(self.module, "llvm.x86.avx512bf16.dpbf16ps.512", FLOATS, [FLOATS, PAIRS, PAIRS])
        return self.call(made, [totals, x, y])

    def spread(self, number: Any) -> Any:
        """A variable number to all lanes."""
        kind = ir.VectorType(number.type, LANES)
        one = self.insert_element(kind(ir.Undefined), number, PAIR(0))
        return self.shuffle_vector(one, kind(ir.Undefined), INTEGERS(None))

    def summed(self, numbers: Any) -> Any:
        """The sum of all lanes, in each of them."""
        return self._joined(numbers, self.fadd)

    def highest(self, numbers: Any) -> Any:
        """The highest of all lanes, in each of them."""
        return self._joined(numbers, lambda some, others: self.lanewise("maxnum", some, others))

    def first(self, numbers: Any) -> Any:
        return self.extract_element(numbers, PAIR(0))

    def lanewise(self, name: str, *numbers: Any) -> Any:
        """A function of LLVM's own, of each lane."""
        made = declared(self.module, f"llvm.{name}.v{LANES}f32", FLOATS, [FLOATS] * len(numbers))
        return self.call(made, numbers)

    def exp(self, x: Any) -> Any:
        """2^n e^r as in Cephes' expf, within two units of the last place, between e^-87 and e^88."""
        x = self.lanewise("minnum", self.lanewise("maxnum", x, everywhere(-87.0)), everywhere(88.0))
        n = self.lanewise("roundeven", self.fmul(x, everywhere(1.44269504)))
        high = self.lanewise("fma", n, everywhere(-0.693359375), x)
        r = self.lanewise("fma", n, everywhere(2.12194440e-4), high)
        power = self.shl(self.add(self.fptosi(n, INTEGERS), INTEGERS([127] * LANES)), INTEGERS([23] * LANES))
        return self.fmul(self._polynomial(r, EXP), self.bitcast(power, FLOATS))

    def silu(self, x: Any) -> Any:
        return self.fdiv(x, self.fadd(everywhere(1.0), self.exp(self.fneg(x))))

    def gelu(self, x: Any) -> Any:
        """x / 2 (1 + erf(x / sqrt 2)), the error function by Abramowitz and Stegun, 7.1.26, within 1.5e-7."""
        z = self.fmul(x, everywhere(0.5**0.5))
        below = self.lanewise("fma", self.lanewise("fabs", z), everywhere(0.3275911), everywhere(1.0))
        t = self.fdiv(everywhere(1.0), below)
        rest = self.fmul(self._polynomial(t, ERF), self.exp(self.fneg(self.fmul(z, z))))
        erf = self.lanewise("copysign", self.fsub(everywhere(1.0), rest), z)
        half = self.fmul(x, everywhere(0.5))
        return self.lanewise("fma", half, erf, half)

    def _joined(self, numbers: Any, join: Callable[[Any, Any], Any]) -> Any:
        for step in (8, 4, 2, 1):
            turned = INTEGERS([(lane + step) % LANES for lane in range(LANES)])
            numbers = join(numbers, self.shuffle_vector(numbers, numbers, turned))
        return numbers

    def _polynomial(self, x: Any, terms: Sequence[float]) -> Any:
        """By Horner's rule, the highest power first."""
        value = everywhere(terms[0])
        for term in terms[1:]:
            value = self.lanewise("fma", value, x, everywhere(term))
        return value


def everywhere(number: float) -> Any:
    """A number in all lanes."""
    return FLOATS([ctypes.c_float(number).value] * LANES)


@dataclass(frozen=True, slots=True)
class Job:
    """What a thread was told, by name: as an address, and as a number."""

    b: Writer
    address: dict[str, Any]
    number: dict[str, Any]

    def thread(self) -> Any:
        """Which of the threads this is, from 0."""
        return self._asked("omp_get_thread_num")

    def everywhere(self, word: str) -> Any:
        """A number that was told as `library.bits`, in all lanes."""
        b = self.b
        return b.spread(b.bitcast(b.trunc(self.number[word], PAIR), FLOAT))

    def share(self, parts: Any) -> tuple[Any, Any]:
        """This thread's part of so many: the first, and the one after the last."""
        b, thread, threads = self.b, self.thread(), self._asked("omp_get_num_threads")
        places = (thread, b.add(thread, COUNT(1)))
        first, end = (b.udiv(b.mul(parts, place), threads) for place in places)
        return first, end

    def _asked(self, name: str) -> Any:
        return self.b.zext(self.b.call(declared(self.b.module, name, PAIR, []), []), COUNT)


def kernel(module: ir.Module, name: str, told: Sequence[str]) -> Job:
    """Begin a kernel that is told so much; the caller writes the rest and its return."""
    b, (job,) = function(module, name, [POINTER])
    places = {word: b.at(job, COUNT(8 * place)) for place, word in enumerate(told)}
    return Job(
        b,
        {word: b.load(place, typ=POINTER) for word, place in places.items()},
        {word: b.load(place, typ=COUNT) for word, place in places.items()},
    )


def function(
    module: ir.Module, name: str, types: Sequence[Any], *, inside: bool = False
) -> tuple[Writer, Sequence[Any]]:
    """Begin a function that returns nothing; its arguments. `inside`: nobody else calls it."""
    made = ir.Function(module, ir.FunctionType(ir.VoidType(), types), name)
    made.linkage = "internal" if inside else ""
    return Writer(made.append_basic_block()), made.args
