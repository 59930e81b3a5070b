-- The tasks that wait in the queues of Asynq, and the age in seconds of the one that has waited longest.
-- Key layout: internal/base/base.go and internal/rdb/rdb.go in github.com/hibiken/asynq. Asynq pushes to the left of the
-- list and takes from the right. A task that a stopping worker returns is pushed to the right, without its time, so the
-- age is that of the oldest of the last ten.
local now = tonumber(redis.call('TIME')[1])
local pending, oldest = 0, now
for _, queue in ipairs(redis.call('SMEMBERS', 'asynq:queues')) do
  local prefix = 'asynq:{' .. queue .. '}:'
  pending = pending + redis.call('LLEN', prefix .. 'pending')
  for _, id in ipairs(redis.call('LRANGE', prefix .. 'pending', -10, -1)) do
    local since = tonumber(redis.call('HGET', prefix .. 't:' .. id, 'pending_since'))
    if since and since / 1e9 < oldest then
      oldest = since / 1e9
    end
  end
end
return {'asynq_pending_tasks', tostring(pending), 'asynq_oldest_pending_seconds', tostring(math.floor(now - oldest))}
