-- Reads what passes by, and holds nothing back: when a stream's first event came, and the `usage` of an answer that is
-- one JSON object. To find that member it follows strings and braces and parses nothing else.
-- Performance-sensitive (`make bench`): one loop over bytes, which LuaJIT compiles; patterns would be interpreted.

local NAMESPACE = "{{ usage_namespace }}"
local LONGEST = 16384 -- bytes of a usage object; a longer one is none
local QUOTE, BACKSLASH, COLON, OPENING, CLOSING, SPACE = 34, 92, 58, 123, 125, 32
local NOTHING, NAME, VALUE = 0, 1, 2 -- what of `"usage":` has just passed in the outermost object
local byte, sub, find = string.byte, string.sub, string.find

local function begin()
  return { depth = 0, quoted = false, escaped = false, head = "", passed = NOTHING, taken = nil, size = 0, found = nil }
end

local function take(scan, piece)
  scan.size = scan.size + #piece
  if scan.size <= LONGEST then
    scan.taken[#scan.taken + 1] = piece
  end
end

-- Follows one piece of the answer; true when nothing more can come.
local function follow(scan, text)
  local depth, quoted, escaped, passed = scan.depth, scan.quoted, scan.escaped, scan.passed
  local from, start = 1, 1 -- of the usage object and of the string that are going on
  for at = 1, #text do
    local letter = byte(text, at)
    if escaped then
      escaped = false
    elseif quoted then
      if letter == BACKSLASH then
        escaped = true
      elseif letter == QUOTE then
        quoted = false
        if depth == 1 and at - start <= 5 and scan.head .. sub(text, start, at - 1) == "usage" then
          passed = NAME
        end
      end
    elseif letter == QUOTE then
      quoted, start, scan.head, passed = true, at + 1, "", NOTHING
    elseif letter == OPENING then
      if passed == VALUE then
        scan.taken, scan.size, from = {}, 0, at
      end
      depth, passed = depth + 1, NOTHING
    elseif letter == CLOSING then
      depth = depth - 1
      if depth == 1 and scan.taken then
        take(scan, sub(text, from, at))
        scan.found = scan.size <= LONGEST and table.concat(scan.taken) or nil
        scan.taken = nil
      end
      if depth <= 0 then
        return true
      end
    elseif letter > SPACE then
      if depth == 0 then -- not an object
        return true
      end
      passed = passed == NAME and letter == COLON and VALUE or NOTHING
    end
  end
  if scan.taken then
    take(scan, sub(text, from))
  end
  if quoted and depth == 1 then
    scan.head = sub(scan.head .. sub(text, start, start + 5), 1, 6)
  end
  scan.depth, scan.quoted, scan.escaped, scan.passed = depth, quoted, escaped, passed
  return false
end

-- Whether a line of data begins in `text`, which goes on after `before`. Comments and names of events come sooner: they
-- keep the connection open while the model has said nothing.
local function has_data(before, text)
  local seen = before .. text
  return find(seen, "\ndata:", 1, true) or find(seen, "\rdata:", 1, true)
end

-- Compressed streams and Amazon's binary ones are not read: their first bytes count.
local function await_first(handle, readable)
  local before = "\n"
  for chunk in handle:bodyChunks() do
    local size = chunk:length()
    local text = readable and chunk:getBytes(0, size) or ""
    if readable and has_data(before, text) or not readable and size > 0 then
      local now = handle:timestampString(EnvoyTimestampResolution.MICROSECOND)
      handle:streamInfo():dynamicMetadata():set(NAMESPACE, "first", now)
      return
    end
    before = sub(before .. sub(text, -5), -5)
  end
end

function envoy_on_response(handle)
  local kind = (handle:headers():get("content-type") or ""):lower()
  if kind:find("^text/event%-stream") then
    local encoding = handle:headers():get("content-encoding") or "identity"
    await_first(handle, encoding:lower() == "identity")
  elseif kind:find("^application/vnd%.amazon%.eventstream") then
    await_first(handle, false)
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
