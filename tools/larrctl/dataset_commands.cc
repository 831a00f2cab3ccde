// SPDX-License-Identifier: Apache-2.0
#include "tools/larrctl/commands.h"
