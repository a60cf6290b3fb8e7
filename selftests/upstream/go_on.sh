# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2317,SC2329 # Called by the script that bash reads after this.
#
# BASH_ENV of a script of upstream's that prints a title, runs a case, and ends at the first case that
# fails: it goes on instead, and results.py reads from these lines which ones failed.
set() { [ "${1:-}" = -e ] || builtin set "$@"; }
echo() { builtin echo "title: $*"; }
trap 'builtin echo "failed: status $?"' ERR
