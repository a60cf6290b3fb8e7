// SPDX-License-Identifier: GPL-2.0
#include <linux/spinlock.h>
#include "../helpers.h"
