"""What Redis runs: the rules of `extproc.limits.quota`, atomically, by the clock of Redis.

A bucket is a hash: number of the slot → what was used in it. It goes when its window has passed.
"""

COMMON = """
local COUNTED = 61
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000000 + tonumber(clock[2])

local function keep(key, length)
  redis.call('PEXPIRE', key, math.ceil(length * (COUNTED + 1) / 1000))
end

local function read(key, length)
  local slot = math.floor(now / length)
  local found = redis.call('HGETALL', key)
  local slots, used = {}, 0
  for i = 1, #found, 2 do
    local at, count = tonumber(found[i]), tonumber(found[i + 1])
    if at > slot then  -- a clock went back: it counts as used just now
      redis.call('HDEL', key, found[i])
      redis.call('HINCRBY', key, slot, count)
      keep(key, length)
      at = slot
    end
    if slot - at < COUNTED then
      slots[#slots + 1] = {at, count}
      used = used + count
    else
      redis.call('HDEL', key, found[i])
    end
  end
  table.sort(slots, function(a, b) return a[1] < b[1] end)
  return slot, slots, used
end
"""

# KEYS: one per charge, alternatives one after the other. ARGV: the number of charges of each alternative, as one text
# such as "2,1"; then limit, length of a slot in microseconds and amount of each charge.
# Answer: the alternative taken, from 1, or 0; then used, wait (µs, -1 for never), reset (µs) and slot of each charge.
RESERVE = (
    COMMON
    + """
local answer, chosen, at = {0}, 0, 0
for size in string.gmatch(ARGV[1], '%d+') do
  local first, fits = at + 1, true
  for i = first, at + tonumber(size) do
    local limit, length, amount = tonumber(ARGV[i * 3 - 1]), tonumber(ARGV[i * 3]), tonumber(ARGV[i * 3 + 1])
    local slot, slots, used = read(KEYS[i], length)
    local wait, reset = 0, 0
    if #slots > 0 then reset = (slots[#slots][1] + COUNTED) * length - now end
    if amount > limit then
      wait = -1
    elseif used + amount > limit then
      local left = used
      for _, each in ipairs(slots) do
        left = left - each[2]
        wait = (each[1] + COUNTED) * length - now
        if left + amount <= limit then break end
      end
    end
    if wait ~= 0 then fits = false else reset = (slot + COUNTED) * length - now end
    answer[#answer + 1] = used
    answer[#answer + 1] = wait
    answer[#answer + 1] = reset
    answer[#answer + 1] = slot
  end
  at = at + tonumber(size)
  answer[1] = answer[1] + 1
  if fits and chosen == 0 then
    chosen = answer[1]
    for i = first, at do
      local length = tonumber(ARGV[i * 3])
      redis.call('HINCRBY', KEYS[i], math.floor(now / length), ARGV[i * 3 + 1])
      keep(KEYS[i], length)
    end
  end
end
answer[1] = chosen
return answer
"""
)

# KEYS: one per adjustment. ARGV: length of a slot in microseconds, slot (-1: that of now) and change of each.
ADJUST = (
    COMMON
    + """
for i = 1, #KEYS do
  local length, slot, delta = tonumber(ARGV[i * 3 - 2]), tonumber(ARGV[i * 3 - 1]), tonumber(ARGV[i * 3])
  local newest = math.floor(now / length)
  if slot < 0 or slot > newest then slot = newest end
  if newest - slot < COUNTED then
    local count = tonumber(redis.call('HGET', KEYS[i], slot) or 0)
    delta = math.max(delta, -count)
    if delta ~= 0 then
      redis.call('HINCRBY', KEYS[i], slot, delta)
      keep(KEYS[i], length)
    end
  end
end
return 0
"""
)
