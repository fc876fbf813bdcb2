-- Reads what passes by, and holds nothing back: when a stream's first bytes came, and the `usage` of an answer that is
-- one JSON object. To find that member it follows strings and braces and parses nothing else.
-- Performance-sensitive: `make bench`.

local NAMESPACE = "{{ usage_namespace }}"
local LONGEST = 16384 -- bytes of a usage object; a longer one is none
local QUOTE, BACKSLASH, OPENING, CLOSING = 34, 92, 123, 125

-- `name` is the last string of the outermost object, `gap` what came between it and the next string or brace.
local function begin()
  return { depth = 0, quoted = false, escaped = false, name = "", gap = "", taking = false, taken = {}, size = 0 }
end

local function take(scan, text, from, to)
  scan.size = scan.size + to - from + 1
  if scan.size <= LONGEST then
    scan.taken[#scan.taken + 1] = text:sub(from, to)
  end
end

-- Goes to the end of a string: a quote behind an even number of backslashes. Returns the position after it.
local function follow_string(scan, text, at)
  local quote = text:find('"', at, true)
  local last = (quote or #text + 1) - 1
  local first = last
  while first >= at and text:byte(first) == BACKSLASH do
    first = first - 1
  end
  local escaped = (last - first) % 2 == 1
  if scan.depth == 1 and #scan.name < 6 then
    scan.name = scan.name .. text:sub(at, math.min(last, at + 5))
  end
  if not quote then
    scan.escaped = escaped
  elseif escaped then
    scan.name = "longer"
  else
    scan.quoted = false
  end
  return (quote or last) + 1
end

-- Follows one piece of the answer; true when nothing more can come.
local function follow(scan, text)
  local at, size = 1, #text
  local from = scan.taking and 1 or nil
  while at <= size do
    if scan.escaped then
      scan.escaped, scan.name = false, "longer"
      at = at + 1
    elseif scan.quoted then
      at = follow_string(scan, text, at)
    else
      local stop = text:match('^[^"{}]*()', at)
      if scan.depth <= 1 and #scan.gap < 64 then
        scan.gap = scan.gap .. text:sub(at, math.min(stop - 1, at + 63))
      end
      local letter = text:byte(stop)
      if letter == QUOTE then
        scan.quoted, scan.name, scan.gap = true, "", ""
      elseif letter == OPENING then
        if scan.depth == 0 and scan.gap:find("%S") then
          return true
        end
        if scan.depth == 1 and scan.name == "usage" and scan.gap:find("^%s*:%s*$") then
          scan.taking, scan.taken, scan.size = true, {}, 0
          from = stop
        end
        scan.depth, scan.name, scan.gap = scan.depth + 1, "", ""
      elseif letter == CLOSING then
        scan.depth = scan.depth - 1
        if scan.taking and scan.depth == 1 then
          take(scan, text, from, stop)
          scan.found = scan.size <= LONGEST and table.concat(scan.taken) or nil
          scan.taking, from = false, nil
        end
        if scan.depth <= 0 then
          return true
        end
      end
      at = stop + 1
    end
  end
  if scan.taking then
    take(scan, text, from, size)
  end
  return false
end

function envoy_on_response(handle)
  local kind = (handle:headers():get("content-type") or ""):lower()
  if kind:find("^text/event%-stream") or kind:find("^application/vnd%.amazon%.eventstream") then
    for _ in handle:bodyChunks() do
      local now = handle:timestampString(EnvoyTimestampResolution.MICROSECOND)
      handle:streamInfo():dynamicMetadata():set(NAMESPACE, "first", now)
      return
    end
  elseif kind:find("^application/json") then
    local scan = begin()
    for chunk in handle:bodyChunks() do
      if follow(scan, chunk:getBytes(0, chunk:length())) then
        break
      end
    end
    if scan.found then
      handle:streamInfo():dynamicMetadata():set(NAMESPACE, "usage", scan.found)
    end
  end
end
