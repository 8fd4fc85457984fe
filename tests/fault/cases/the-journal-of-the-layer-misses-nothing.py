# CASE: what the journal of the fault layer says is what the store holds, when nothing is lost
# MOUNT: none
# PLAIN: no
import subprocess

import power_cuts
from fault_driver import CUT, JOURNAL, PAGE, STORE, WORK, run, seeded, session

seed, dice = seeded()
power_cuts.begin_anew()
PAGE.cut_at = 0
for mount in range(2):
    run("cp", "-a", "--sparse=always", STORE, power_cuts.BASE)
    daemon = session(journal=True)
    power_cuts.cut_while_saving(daemon, dice, seed + mount, least=3)
    run(CUT, JOURNAL, power_cuts.BASE, WORK + "/told", "none")
    # The control socket holds no data; the next mount replaces what a crash left of it.
    done = subprocess.run(["diff", "-r", "--exclude=control", STORE, WORK + "/told"], check=False)
    assert done.returncode == 0, "the journal tells another store"
    run("rm", "-r", WORK + "/told", power_cuts.BASE)
