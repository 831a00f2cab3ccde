// SPDX-License-Identifier: Apache-2.0
//
// An empty library. Under the names of CUDA's, it lets Python load the torch
// wheel where they are not installed; nothing on a CPU calls them.
