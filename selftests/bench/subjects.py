# SPDX-License-Identifier: GPL-2.0
"""Which drivers are measured: ours in each of its two modes, and the C driver of each mode.

A name is a driver, or a driver and a mode with a plus sign between them: the mode that ours does not choose
itself. So `rtl8139_rs` is ours in its C+ mode, as everywhere in the selftests."""

CPLUS, CLASSIC = "cplus", "classic"
MODES = {"rtl8139_rs": CPLUS, "rtl8139_rs+classic": CLASSIC, "8139cp": CPLUS, "8139too": CLASSIC}
DRIVERS = tuple(MODES)
OURS = DRIVERS[:2]
# The C driver that does the same work with the same rings.
ORIGINALS = {"rtl8139_rs": "8139cp", "rtl8139_rs+classic": "8139too"}

# A card for each, and the peer, with an interrupt line each: the chipset has four for cards side by side, in
# turns, and others for those far away.
NICS = ",".join(["rtl8139"] * len(DRIVERS) + ["e1000+addr=0x19"])

# The null drivers (null_nic.ko), with its parameters.
NULL, WITHOUT_GRO, PAGES = "null", "null-without-gro", "null-pages"
NULLS = {NULL: "", WITHOUT_GRO: "gro=0", PAGES: "pages=1"}


def driver_of(name):
    """The module."""
    return name.partition("+")[0]


def mode_of(name):
    """The mode, or nothing for what has none."""
    return MODES.get(name, "")


def name_of(driver, mode):
    """What a driver in a mode is called here; anything else by its own name."""
    both = f"{driver}+{mode}"
    return both if both in MODES else driver


def title_of(name):
    """As a reader is told: with the mode, whether it is the driver's own choice or not."""
    return f"{driver_of(name)} {mode_of(name)}".strip()


def null_of(name, workload):
    """The null driver that a driver's path is held against: the one that has as much to do as any driver of
    that mode must. Both drivers of the C+ mode have the same, so that they compare.

    A classic card writes frames one behind the other into one buffer, out of which they are copied. A card in
    C+ mode writes each into a buffer of its own, which a long frame keeps; a short one is copied all the same,
    as it would hold all that memory, though that takes more instructions. 8139too gives nothing to GRO."""
    if not workload.startswith("rx"):
        return NULL
    if name == "8139too":
        return WITHOUT_GRO
    return PAGES if mode_of(name) == CPLUS and workload.endswith("-1514") else NULL


def nulls_for(workload):
    """All that some driver is held against."""
    return tuple(null for null in NULLS if any(null_of(name, workload) == null for name in DRIVERS))
