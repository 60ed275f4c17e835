"""Uncompiled: a decorator of methods that `torch.compile` must not compile, for they make their own gradient."""

# As torch.compiler.disable, which however imports the compiler, for more than a second, where a method is defined.
from torch._compile import _disable_dynamo as uncompiled

__all__ = ["uncompiled"]
