# SPDX-License-Identifier: Apache-2.0
"""The torch wheel where CUDA's libraries are empty ones (bench/no_cuda.cc):
its functions must be looked up when they are called, not when it is loaded."""
import os
import sys

_flags = sys.getdlopenflags()
sys.setdlopenflags(os.RTLD_LAZY)
import torch  # noqa: E402

sys.setdlopenflags(_flags)
