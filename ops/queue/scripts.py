"""The shell scripts that run in a pod with the image of redis.

With an append-only file, redis reads only that file when it starts, and ignores dump.rdb. A redis without one therefore
loads the dump, and then writes the file: the documented way to switch
(https://redis.io/docs/latest/operate/oss_and_stack/management/persistence/).
"""

import json
import shlex

DUMP = "/data/dump.rdb"
SOCKET = "/tmp/restore.sock"  # noqa: S108  # in the pod
JOB_STATES = {"pending": "LLEN", "active": "LLEN", "scheduled": "ZCARD", "retry": "ZCARD", "archived": "ZCARD"}
"""The keys of a queue of Asynq that contain jobs, with the command for their length (internal/base/base.go)."""

_COUNT = """
local result = {}
for _, queue in ipairs(redis.call('SMEMBERS', 'asynq:queues')) do
  for state, length in pairs(cjson.decode(ARGV[1])) do
    result[queue .. ' ' .. state] = redis.call(length, 'asynq:{' .. queue .. '}:' .. state)
  end
end
return cjson.encode(result)
"""
_SERVER = 'redis() { REDISCLI_AUTH="$REDIS_PASSWORD" redis-cli -e "$@"; }\n'
"""The client of the running redis. With -e, an error of a command is an exit code."""
_LOADER = f'redis() {{ redis-cli -e -s {SOCKET} "$@"; }}\n'
"""The client of the redis that loads the dump."""
_COUNT_JOBS = f"redis --raw eval {shlex.quote(_COUNT)} 0 {shlex.quote(json.dumps(JOB_STATES))}\n"

NO_REPLICAS = 1_000_000
"""More replicas than there are: redis refuses every write, also those of scripts, and still answers reads."""
REFUSE_WRITES = f"{_SERVER}redis config set min-replicas-to-write {NO_REPLICAS}"
ACCEPT_WRITES = f"{_SERVER}redis config set min-replicas-to-write 0"
DUMP_DATA = f"""{_SERVER}
until output=$(redis save 2>&1); do
  # A snapshot that redis started itself.
  case "$output" in *"already in progress"*) sleep 1 ;; *) echo "$output" >&2; exit 1 ;; esac
done
redis-check-rdb {DUMP} >&2
"""
COUNT_JOBS = f"{_SERVER}{_COUNT_JOBS}"
SHA256 = f"sha256sum {DUMP} | cut -d ' ' -f 1"
DOWNLOAD = f"cat {DUMP}"
UPLOAD = f"""
if [ -e /data/appendonlydir ]; then echo "the new volume already contains data" >&2; exit 1; fi
cat >{DUMP}
"""
LOAD = f"""{_LOADER}
redis-check-rdb {DUMP} >&2
redis-server --port 0 --unixsocket {SOCKET} --dir /data --appendonly no --save '' --daemonize yes >/dev/null
until [ "$(redis ping 2>/dev/null)" = PONG ]; do sleep 0.2; done
# Writes the append-only file from the data in memory.
redis config set appendonly yes >/dev/null
while redis info persistence | grep -Eq '^aof_rewrite_(in_progress|scheduled):1'; do sleep 0.2; done
redis info persistence | grep -q '^aof_last_bgrewrite_status:ok'
{_COUNT_JOBS}
redis shutdown nosave >/dev/null 2>&1 || true
while [ -e {SOCKET} ]; do sleep 0.2; done
rm {DUMP}
"""
