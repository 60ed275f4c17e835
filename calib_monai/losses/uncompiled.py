"""Uncompiled: a method that `torch.compile` leaves as it is, with its own gradient."""

# As torch.compiler.disable, which however imports the compiler, for more than a second, where a method is defined.
from torch._compile import _disable_dynamo as uncompiled

__all__ = ["uncompiled"]
