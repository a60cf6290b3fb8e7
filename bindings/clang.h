/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the configuration of a kernel that gcc has built says of its compiler, put right for the
 * clang that compiles the helpers of inline.mk. Included before everything else.
 */
#ifndef RNET_CLANG_H
#define RNET_CLANG_H

#include <linux/kconfig.h>

#undef CONFIG_CC_IS_GCC
#define CONFIG_CC_IS_CLANG 1
#undef CONFIG_GCC_VERSION
#define CONFIG_GCC_VERSION 0
#undef CONFIG_CLANG_VERSION
#define CONFIG_CLANG_VERSION \
	(__clang_major__ * 10000 + __clang_minor__ * 100 + __clang_patchlevel__)

/*
 * Per-CPU variables: clang knows the named address spaces, but not to put the segment before an
 * operand of inline assembly that is in one, as gcc does. It would access the CPUs' template.
 */
#undef CONFIG_CC_HAS_NAMED_AS
#undef CONFIG_CC_HAS_NAMED_AS_FIXED_SANITIZERS
#undef CONFIG_USE_X86_SEG_SUPPORT

#endif
