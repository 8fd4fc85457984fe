# CASE: safetensors' own writer and its mapped reader give back identical tensors after a remount
# TIMEOUT: 300
. "$TFS_LIB"

# The package is not in Debian; a virtual environment beside the build keeps it from run to run.
venv=$CACHE/venv
if [ ! -x "$venv/bin/python3" ] || ! "$venv/bin/python3" -c 'import safetensors' 2>/dev/null; then
    rm -rf "$venv"
    "$TFS_PYTHON" -m venv --system-site-packages "$venv" >"$WORK/venv.log" 2>&1 ||
        skip "no virtual environment can be made: $(tail -1 "$WORK/venv.log")"
    timeout 200 "$venv/bin/pip" install -q safetensors >"$WORK/venv.log" 2>&1 ||
        skip "safetensors cannot be had: $(tail -1 "$WORK/venv.log")"
fi
"$venv/bin/python3" -c 'import numpy' 2>/dev/null || skip "python3-numpy is missing"
"$venv/bin/python3" "$(dirname "${BASH_SOURCE[0]}")/../safetensors_client.py"
