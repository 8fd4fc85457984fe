# CASE: when a mount lives on in another mount namespace, the tests say in whose instead of that it lived on
# MOUNT: none
# NEEDS: root unshare
import os
import subprocess
import time

import mount_session

mount_session.STOP_SECONDS = 2
session = mount_session.Session(os.environ["TENSORFS"], os.environ["STORE"], os.environ["MNT"], "",
                                os.environ["LOG"])
session.start()
mark = f"{os.environ['WORK']}/copied"
other = subprocess.Popen(["unshare", "--mount", "--propagation", "private", "sh", "-c",
                          f"touch '{mark}'; exec sleep 600"])
while not os.path.exists(mark):
    assert other.poll() is None
    time.sleep(0.01)
try:
    session.stop()
    raise AssertionError("the daemon ended")
except mount_session.SessionError as error:
    print(error)
    namespace = os.readlink(f"/proc/{other.pid}/ns/mnt")
    assert f"the mount namespace {namespace} has it: " in str(error), error
    assert f"({other.pid}) on {os.environ['MNT']}" in str(error), error
    assert "our own" not in str(error), error
other.kill()
other.wait()
