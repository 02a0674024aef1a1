-- A batch of operations of one node on one app, all or nothing. docs/spec/redis.md describes the keys and entries.
--
-- KEYS[1]  the app's prefix, with its hash tag
-- ARGV[1]  the node        ARGV[2]  the number of the batch, or `register`
-- ARGV[3]  the time in ms, empty for that of Redis (tests give one)
-- ARGV[4]  length of a lease in ms      ARGV[5]  most entries in a stream
-- ARGV[6]  1 if messages to offline users are kept, or 0
-- ARGV[7]  the last entry of the node's stream that it has processed, or empty
-- then for each operation: name, number of arguments, arguments
--
-- Returns {'ok', last entry of the node's stream before the batch, time, items}; an item {'=', ...} is the reply to the
-- next operation, another is an entry for the node itself. Else {'lost', number}, {'stale'}, {'newer', schema}, {'older', schema}.

local SCHEMA = 1
local CUT_OFF = 512
local LINGER = 300000
local WEEK = 7 * 24 * 3600 * 1000
local MONTH = 30 * 24 * 3600 * 1000

local P, node = KEYS[1], ARGV[1]
local lease, limit, keeps, done = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6] == '1', ARGV[7]
local call = redis.call
local N, U, S, M, L = P .. ':n:' .. node, P .. ':u', P .. ':s:', P .. ':m', P .. ':l'

-- Keys that their users' nodes renew once a day.
local function renew(...)
  for _, key in ipairs({...}) do call('PEXPIRE', key, MONTH) end
end

local function int(n) return string.format('%.0f', n) end

local now
if ARGV[3] == '' then
  local t = call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
else
  now = tonumber(ARGV[3])
end
local stamp = int(now)

-- Lists as one text: `5:alice3:bob`.
local function pack(list)
  local parts = {}
  for i = 1, #list do
    parts[#parts + 1] = #list[i] .. ':'
    parts[#parts + 1] = list[i]
  end
  return table.concat(parts)
end

local function unpacked(text)
  local list, at = {}, 1
  while at <= #text do
    local colon = string.find(text, ':', at, true)
    local size = tonumber(string.sub(text, at, colon - 1))
    list[#list + 1] = string.sub(text, colon + 1, colon + size)
    at = colon + size + 1
  end
  return list
end

if ARGV[2] == 'register' then
  local schema = tonumber(call('HGET', M, 'schema') or SCHEMA)
  if schema > SCHEMA then return {'newer', int(schema)} end
  if schema < SCHEMA then
    local leases = call('HGETALL', L)
    for i = 2, #leases, 2 do
      if tonumber(string.match(leases[i], '^%d+')) >= now then return {'older', int(schema)} end
    end
    -- Older nodes that continue later find their last batch lost, then the schema.
    for i = 1, #leases, 2 do call('DEL', P .. ':n:' .. leases[i]) end
  end
  call('HSET', M, 'schema', SCHEMA)
  call('PEXPIRE', M, MONTH)
  call('HSET', N, 'seq', ARGV[8], 'reply', '')
  call('HDEL', N, 'dropped')
  call('HSET', L, node, int(now + lease) .. ' 0')
  renew(L, N)
  for _, user in ipairs(call('SMEMBERS', N .. ':f')) do call('SREM', P .. ':f:' .. user, node) end
  call('DEL', N .. ':f')
  return {'ok', '', stamp, call('SMEMBERS', N .. ':u'), 'registered'}
end

local seq = tonumber(ARGV[2])
local known = call('HMGET', N, 'seq', 'reply')
local last = tonumber(known[1] or -1)
if last == seq and known[2] ~= '' then return cmsgpack.unpack(known[2]) end
if last >= seq then return {'stale'} end
if last ~= seq - 1 then return {'lost', int(last)} end

local newest = call('XREVRANGE', S .. node, '+', '-', 'COUNT', 1)
local before = newest[1] and newest[1][1] or ''

local items, index = {}, 0
local lengths = {}

local function reply(...) items[#items + 1] = {'=', ...} end

-- Returns true if a node's stream takes no more messages.
local function full(to, most)
  if not lengths[to] then lengths[to] = call('XLEN', S .. to) end
  return lengths[to] >= most
end

-- Writes an entry for a node. Entries that do not fit are counted, and the node repairs its state when it reads the count.
local function emit(to, ...)
  if to == node then
    items[#items + 1] = {...}
  elseif full(to, 2 * limit) then
    call('HINCRBY', P .. ':n:' .. to, 'dropped', 1)
  else
    index = index + 1
    lengths[to] = lengths[to] + 1
    call('XADD', S .. to, '*', 'e', pack({node, ARGV[2], tostring(index), ...}))
  end
end

-- Writes a peer message for a node's login, always to its stream, where it remains until the node has processed it. `P:p` has the
-- last such entry of each user, an entry has the one before.
local function message(at, user, login, from, time, body)
  local before = call('HGET', P .. ':p', user) or ''
  index = index + 1
  if lengths[at] then lengths[at] = lengths[at] + 1 end
  local entry = pack({node, ARGV[2], tostring(index), 'peer', user, login, from, time, body, before})
  call('HSET', P .. ':p', user, call('XADD', S .. at, '*', 'e', entry))
end

local function login_of(user)
  local found = call('HGET', U, user)
  if not found then return nil end
  local at = string.find(found, ' ', 1, true)
  return string.sub(found, 1, at - 1), string.sub(found, at + 1)
end

local function is_login(user, at, login) return call('HGET', U, user) == at .. ' ' .. login end

local function presence(user, state)
  for _, to in ipairs(call('SMEMBERS', P .. ':f:' .. user)) do emit(to, 'presence', user, state) end
end

local function members(channel) return call('ZCARD', P .. ':c:' .. channel) end

-- Returns the ms until the next event of the count: at most one a second, or in 3 s in a large channel.
local function count_due(channel, count)
  local key = P .. ':k:' .. channel
  local last = tonumber(call('GET', key) or '')
  local due = now
  if last then
    local span = count > CUT_OFF and 3000 or 1000
    if now < last then return int(last - now) end
    if now < last + span then due = last + span end
  end
  call('SET', key, int(due), 'PX', 10000)
  return int(due - now)
end

local function add_member(user, channel, again)
  if call('ZADD', P .. ':c:' .. channel, 'NX', stamp, user) == 0 then return members(channel) end
  call('RPUSH', P .. ':j:' .. user, channel)
  call('HINCRBY', P .. ':d:' .. channel, node, 1)
  renew(P .. ':j:' .. user, P .. ':c:' .. channel, P .. ':d:' .. channel)
  call('PEXPIRE', P .. ':a:' .. channel, MONTH)
  local count = members(channel)
  if again then
    local due = count_due(channel, count)
    for _, to in ipairs(call('HKEYS', P .. ':d:' .. channel)) do
      local kind = to == node and 'count' or 'join'
      emit(to, kind, channel, user, int(count), count <= CUT_OFF and '1' or '0', due)
    end
  end
  return count
end

local function announce_join(user, channel, count)
  local due = count_due(channel, count)
  for _, to in ipairs(call('HKEYS', P .. ':d:' .. channel)) do
    emit(to, 'join', channel, user, int(count), count <= CUT_OFF and '1' or '0', due)
  end
end

local function remove_member(user, channel, at)
  if call('ZREM', P .. ':c:' .. channel, user) == 0 then return end
  local nodes = P .. ':d:' .. channel
  if call('HINCRBY', nodes, at, -1) <= 0 then call('HDEL', nodes, at) end
  local count = members(channel)
  if count == 0 then
    call('DEL', nodes)
    if call('PEXPIRE', P .. ':a:' .. channel, LINGER) == 0 then call('DEL', P .. ':k:' .. channel) end
    return
  end
  local due = count_due(channel, count)
  for _, to in ipairs(call('HKEYS', nodes)) do
    emit(to, 'leave', channel, user, int(count), count < CUT_OFF and '1' or '0', due)
  end
end

-- Removes everything of a login but its presence.
local function remove_login(user, at)
  for _, channel in ipairs(call('LRANGE', P .. ':j:' .. user, 0, -1)) do remove_member(user, channel, at) end
  call('DEL', P .. ':j:' .. user, P .. ':t:' .. user)
end

local function offline(user, at)
  call('HDEL', U, user)
  call('HDEL', P .. ':p', user)
  call('SREM', P .. ':n:' .. at .. ':u', user)
  remove_login(user, at)
  presence(user, '2')
end

local function replace(user, at, login)
  emit(at, 'kick', user, login)
  call('SREM', P .. ':n:' .. at .. ':u', user)
  remove_login(user, at)
end

-- Moves a user's channels from an older login's node to this one, without events for others. Attributes remain.
local function move_login(user, at, login)
  emit(at, 'kick', user, login)
  call('SREM', P .. ':n:' .. at .. ':u', user)
  local channels = call('LRANGE', P .. ':j:' .. user, 0, -1)
  for _, channel in ipairs(channels) do
    local nodes = P .. ':d:' .. channel
    if call('HINCRBY', nodes, at, -1) <= 0 then call('HDEL', nodes, at) end
    call('HINCRBY', nodes, node, 1)
    renew(nodes)
  end
  return channels
end

-- Stores a message for an offline user. One that was answered as received is always stored, and does not count for the 200.
local function store(to, from, time, body, was_received)
  if not keeps and not was_received then return end
  local key = P .. ':o:' .. to
  local count = call('RPUSH', key, pack({time, from, body}))
  if count == 1 then call('HDEL', P .. ':q', to) end
  if was_received then
    call('HINCRBY', P .. ':q', to, 1)
    renew(P .. ':q')
  else
    local received = tonumber(call('HGET', P .. ':q', to) or 0)
    if count > received + 200 then
      call('LSET', key, received, '')
      call('LREM', key, 1, '')
    end
  end
  call('PEXPIRE', key, WEEK)
end

-- Invitations ------------------------------------------------------------------------------------------------------

local function invitation(id)
  local key = P .. ':i:' .. id
  local f = call('HMGET', key, 'caller', 'at', 'login', 'callee', 'channel', 'content', 'sent', 'callee_at', 'callee_login', 'open')
  if not f[1] then return nil end
  return {
    id = id, key = key, caller = f[1], at = f[2], login = f[3], callee = f[4], channel = f[5], content = f[6],
    sent = tonumber(f[7]), callee_at = f[8], callee_login = f[9], open = f[10] == '1',
  }
end

local function end_invitation(i)
  call('DEL', i.key)
  call('ZREM', P .. ':it', i.id)
  call('ZREM', P .. ':iu:' .. i.callee, i.id)
end

local function has_caller(i) return is_login(i.caller, i.at, i.login) end

local function has_callee(i) return i.open and is_login(i.callee, i.callee_at, i.callee_login) end

local function deliver(id)
  local i = invitation(id)
  if not i or not has_caller(i) then
    if i then end_invitation(i) end
    return
  end
  local at, login = login_of(i.callee)
  if not at or i.callee_at then return end
  call('HSET', i.key, 'callee_at', at, 'callee_login', login, 'open', '1')
  call('ZREM', P .. ':iu:' .. i.callee, id)
  call('ZADD', P .. ':it', int(i.sent + 60000), id)
  emit(at, 'invitation', i.callee, login, id, i.caller, i.channel, i.content)
  emit(i.at, 'delivered', i.caller, i.login, id, int(i.sent + 60000 - now))
end

local function withdraw(i, content)
  if has_callee(i) then emit(i.callee_at, 'cancel', i.callee, i.callee_login, i.id, content or i.content) end
  end_invitation(i)
end

local function expire(i)
  if has_caller(i) then
    local reason = i.callee_at and 'expired' or call('HEXISTS', U, i.callee) == 1 and 'no_response' or 'offline'
    emit(i.at, 'failed', i.caller, i.login, i.id, reason)
  end
  if has_callee(i) then emit(i.callee_at, 'missed', i.callee, i.callee_login, i.id) end
  end_invitation(i)
end

-- Takes the messages that a user's node has not processed, newest first.
local function take_unprocessed(user, at)
  local list, id = {}, call('HGET', P .. ':p', user)
  while id and id ~= '' do
    local entry = call('XRANGE', S .. at, id, id)[1]
    local words = entry and unpacked(entry[2][2])
    if not words or words[4] ~= 'peer' or words[5] ~= user then break end
    list[#list + 1] = words
    call('XDEL', S .. at, id)
    id = words[10]
  end
  call('HDEL', P .. ':p', user)
  return list
end

-- Failed nodes -----------------------------------------------------------------------------------------------------

-- Removes a node step by step: up to 200 of its users, or up to 200 of its unprocessed messages, which are forwarded.
local function remove_node(failed)
  local D = P .. ':n:' .. failed
  local users = call('SRANDMEMBER', D .. ':u', 200)
  for _, user in ipairs(users) do
    if login_of(user) == failed then
      local list = take_unprocessed(user, failed)
      for i = #list, 1, -1 do store(user, list[i][7], list[i][8], list[i][9], true) end
      offline(user, failed)
    end
    call('SREM', D .. ':u', user)
  end
  if #users > 0 then return true end
  local entries = call('XRANGE', S .. failed, '-', '+', 'COUNT', 200)
  for _, entry in ipairs(entries) do
    local e = unpacked(entry[2][2])
    if e[4] == 'peer' then
      local at, login = login_of(e[5])
      if at then message(at, e[5], login, e[7], e[8], e[9]) else store(e[5], e[7], e[8], e[9], true) end
    end
    call('XDEL', S .. failed, entry[1])
  end
  if #entries > 0 then return true end
  for _, user in ipairs(call('SMEMBERS', D .. ':f')) do call('SREM', P .. ':f:' .. user, failed) end
  call('DEL', D, D .. ':u', D .. ':f', S .. failed)
  call('HDEL', L, failed)
  return false
end

-- Operations -------------------------------------------------------------------------------------------------------

-- Each takes its first arguments as parameters. Lua passes about 8 000 values to a function at most, so lists are read by
-- `arguments`.
local ops = {}

-- Places of the first and the last argument of the current operation in ARGV.
local first_argument, last_argument

-- Returns the arguments of the current operation from the given one on.
local function arguments(from)
  local list = {}
  for i = first_argument + from - 1, last_argument do list[#list + 1] = ARGV[i] end
  return list
end

-- Parameters of an operation, and keys or ids in one command.
local MOST_PARAMETERS, CHUNK = 8, 1000

local function remove_entries(key, ids, count)
  for i = 1, count, CHUNK do call('XDEL', key, unpack(ids, i, math.min(i + CHUNK - 1, count))) end
end

function ops.login(user, number, moves)
  local login = stamp .. '-' .. number
  local at, older = login_of(user)
  call('HSET', U, user, node .. ' ' .. login)
  local list, channels, attributes = {}, {}, ''
  if at and moves == '1' then
    list = take_unprocessed(user, at)
    channels = move_login(user, at, older)
    attributes = call('GET', P .. ':t:' .. user) or ''
  elseif at then
    replace(user, at, older)
  else
    presence(user, '0')
  end
  call('SADD', N .. ':u', user)
  renew(U, N .. ':u')
  reply('ok', login, pack(channels), attributes)
  for i = #list, 1, -1 do message(node, user, login, list[i][7], list[i][8], list[i][9]) end
  local kept = call('LRANGE', P .. ':o:' .. user, 0, -1)
  for _, text in ipairs(kept) do
    local m = unpacked(text)
    if now - tonumber(m[1]) < WEEK then emit(node, 'stored', user, login, m[2], m[1], m[3]) end
  end
  if #kept > 0 then emit(node, 'taken', user, login, tostring(#kept)) end
  for _, id in ipairs(call('ZRANGE', P .. ':iu:' .. user, 0, -1)) do deliver(id) end
end

-- Offline messages that a login was given.
function ops.taken(user, login, count)
  if not is_login(user, node, login) then return reply('ended') end
  call('LTRIM', P .. ':o:' .. user, count, -1)
  call('HDEL', P .. ':q', user)
  reply('ok')
end

function ops.logout(user, login)
  if not is_login(user, node, login) then return reply('ended') end
  reply('ok')
  for _, id in ipairs(arguments(3)) do
    local i = invitation(id)
    if i then withdraw(i) end
  end
  offline(user, node)
end

-- Removes a user that the node does not know.
function ops.drop(user)
  if login_of(user) == node then offline(user, node) else call('SREM', N .. ':u', user) end
  reply('ok')
end

-- Restores a login after a loss of Redis: attributes, channels.
function ops.restore(user, login, attributes)
  local channels = arguments(4)
  local at, other = login_of(user)
  if at and (at ~= node or other ~= login) then
    if tonumber(string.match(other, '^%d+')) > tonumber(string.match(login, '^%d+')) then return reply('kicked') end
    replace(user, at, other)
  end
  call('HSET', U, user, node .. ' ' .. login)
  call('SADD', N .. ':u', user)
  if not at then presence(user, '0') end
  renew(U, N .. ':u')
  if attributes == '' then call('DEL', P .. ':t:' .. user) else call('SET', P .. ':t:' .. user, attributes, 'PX', MONTH) end
  local wanted = {}
  for _, channel in ipairs(channels) do wanted[channel] = true end
  for _, channel in ipairs(call('LRANGE', P .. ':j:' .. user, 0, -1)) do
    if not wanted[channel] then
      call('LREM', P .. ':j:' .. user, 0, channel)
      remove_member(user, channel, node)
    end
  end
  local counts = {'=', 'ok'}
  for _, channel in ipairs(channels) do counts[#counts + 1] = int(add_member(user, channel, true)) end
  items[#items + 1] = counts
end

function ops.peer(from, to, body)
  local at, login = login_of(to)
  if not at then
    store(to, from, stamp, body)
    return reply('0')
  end
  if full(at, limit) then return reply('full') end
  reply('1')
  message(at, to, login, from, stamp, body)
end

-- Forwards a message of an ended login, by its entry, which may already be forwarded.
function ops.forward(entry, to, from, time, body)
  if call('XDEL', S .. node, entry) == 0 then return reply('ended') end
  local at, login = login_of(to)
  reply('ok')
  if at then message(at, to, login, from, time, body) else store(to, from, time, body, true) end
end

local function publish(channel, user, body)
  local nodes = call('HKEYS', P .. ':d:' .. channel)
  for _, to in ipairs(nodes) do
    if full(to, limit) then return reply('full') end
  end
  reply('ok')
  for _, to in ipairs(nodes) do emit(to, 'channel', channel, user, stamp, body) end
end

function ops.channel(user, channel, body) publish(channel, user, body) end

-- Sends a message by the RESTful call, counted for the whole app: at most `calls` in `per` ms; 0 for no limit.
function ops.rest(user, channel, body, calls, per)
  calls, per = tonumber(calls), tonumber(per)
  if calls > 0 then
    local key = P .. ':r'
    local oldest = call('LINDEX', key, calls - 1)
    if oldest and now - tonumber(oldest) < per then return reply('often') end
    call('LPUSH', key, stamp)
    call('LTRIM', key, 0, calls - 1)
    call('PEXPIRE', key, per * 2)
  end
  publish(channel, user, body)
end

function ops.join(user, login, channel)
  if not is_login(user, node, login) then return reply('ended') end
  local before_it = members(channel)
  local count = add_member(user, channel, false)
  reply('ok', int(count))
  if count > before_it then announce_join(user, channel, count) end
end

function ops.leave(user, login, channel)
  if not is_login(user, node, login) then return reply('ended') end
  reply('ok')
  call('LREM', P .. ':j:' .. user, 0, channel)
  remove_member(user, channel, node)
end

function ops.members(channel)
  local key = P .. ':c:' .. channel
  if call('ZCARD', key) <= CUT_OFF then
    reply('ok', unpack(call('ZRANGE', key, 0, -1)))
  else
    reply('ok', unpack(call('ZRANDMEMBER', key, CUT_OFF)))
  end
end

function ops.counts()
  local counts = {'=', 'ok'}
  for _, channel in ipairs(arguments(1)) do counts[#counts + 1] = int(members(channel)) end
  items[#items + 1] = counts
end

function ops.online()
  local found = {}
  for i, user in ipairs(arguments(1)) do found[i] = call('HEXISTS', U, user) == 1 and '1' or '0' end
  reply('ok', table.concat(found))
end

-- The number of users to watch, those, and all whose presence is read.
function ops.follow(count)
  local users = arguments(2)
  count = tonumber(count)
  local found = {}
  for i, user in ipairs(users) do
    if i <= count then
      call('SADD', P .. ':f:' .. user, node)
      call('SADD', N .. ':f', user)
      renew(P .. ':f:' .. user, N .. ':f')
    else
      found[#found + 1] = call('HEXISTS', U, user) == 1 and '0' or '2'
    end
  end
  reply('ok', table.concat(found))
end

function ops.unfollow()
  for _, user in ipairs(arguments(1)) do
    call('SREM', P .. ':f:' .. user, node)
    call('SREM', N .. ':f', user)
  end
  reply('ok')
end

function ops.attributes(user, login, text)
  if not is_login(user, node, login) then return reply('ended') end
  if text == '' then call('DEL', P .. ':t:' .. user) else call('SET', P .. ':t:' .. user, text, 'PX', MONTH) end
  reply('ok')
end

function ops.attributes_of(user)
  if call('HEXISTS', U, user) == 0 then return reply('none') end
  reply('ok', call('GET', P .. ':t:' .. user) or '')
end

local function channel_attributes(channel)
  local text = call('GET', P .. ':a:' .. channel)
  return text and unpacked(text) or {}
end

-- Attributes are four texts each: key, value, user, time.
function ops.channel_write(mode, user, channel, notify)
  local key = P .. ':a:' .. channel
  local list, given = {}, arguments(5)
  if mode == 'update' or mode == 'delete' then list = channel_attributes(channel) end
  if mode == 'delete' then
    local left, deleted = {}, {}
    for _, name in ipairs(given) do deleted[name] = true end
    for i = 1, #list, 4 do
      if not deleted[list[i]] then
        for k = 0, 3 do left[#left + 1] = list[i + k] end
      end
    end
    list = left
  else
    for g = 1, #given, 2 do
      local place = #list + 1
      for i = 1, #list, 4 do
        if list[i] == given[g] then place = i end
      end
      list[place], list[place + 1], list[place + 2], list[place + 3] = given[g], given[g + 1], user, stamp
    end
    local bytes = 0
    for i = 1, #list, 4 do bytes = bytes + #list[i] + #list[i + 1] end
    if mode == 'update' and (#list > 4 * 32 or bytes > 32768) then return reply('over') end
  end
  local text = pack(list)
  if text == '' then call('DEL', key) else call('SET', key, text, 'PX', MONTH) end
  if members(channel) == 0 and call('PEXPIRE', key, LINGER) == 0 then call('DEL', P .. ':k:' .. channel) end
  reply('ok')
  if notify == '1' then
    for _, to in ipairs(call('HKEYS', P .. ':d:' .. channel)) do emit(to, 'attributes', channel, text) end
  end
end

function ops.channel_read(channel) reply('ok', call('GET', P .. ':a:' .. channel) or '') end

-- `channel` is `=` and its name, or empty.
function ops.invite(user, login, callee, channel, content)
  if not is_login(user, node, login) then return reply('ended') end
  local id = tostring(call('HINCRBY', M, 'invitation', 1))
  local key, waiting = P .. ':i:' .. id, P .. ':iu:' .. callee
  call('HSET', key, 'caller', user, 'at', node, 'login', login, 'callee', callee, 'channel', channel, 'content', content, 'sent', stamp)
  call('PEXPIRE', key, 150000)
  call('ZADD', P .. ':it', int(now + 30000), id)
  renew(P .. ':it')
  call('ZADD', waiting, id, id)
  call('PEXPIRE', waiting, 150000)
  reply('ok', id, '30000')
  deliver(id)
end

-- `content` is `=` and a text, or empty for that of the invitation.
function ops.cancel(id, content)
  local i = invitation(id)
  if not i then return reply('over') end
  reply('ok')
  withdraw(i, content ~= '' and string.sub(content, 2) or nil)
end

function ops.accept(user, login, id, response)
  local i = invitation(id)
  if not i or not i.open then return reply('over') end
  end_invitation(i)
  if not has_caller(i) then return reply('no_caller') end
  reply('ok')
  emit(i.at, 'accepted', i.caller, i.login, id, response)
  emit(node, 'agreed', user, login, id)
end

function ops.refuse(id, response)
  local i = invitation(id)
  if not i or not i.open then return reply('over') end
  end_invitation(i)
  reply('ok')
  if has_caller(i) then emit(i.at, 'refused', i.caller, i.login, id, response) end
end

function ops.due(id)
  local i = invitation(id)
  if not i then return reply('none') end
  local due = tonumber(call('ZSCORE', P .. ':it', id) or 0)
  if now < due then return reply('later', int(due - now)) end
  reply('ok')
  expire(i)
end

-- Renews the lease, and removes failed nodes and their invitations. `grace` is the time of a suspicion before a removal: after a
-- stall of Redis all leases have ended.
function ops.heartbeat(grace)
  call('HSET', L, node, int(now + lease) .. ' 0')
  renew(M, L, U, P .. ':p', P .. ':q', P .. ':it', N, N .. ':u', N .. ':f', S .. node)
  local more, nodes = false, 0
  local leases = call('HGETALL', L)
  for i = 1, #leases, 2 do
    local other, until_, since = leases[i], string.match(leases[i + 1], '^(%d+) (%d+)$')
    until_, since = tonumber(until_), tonumber(since)
    if until_ >= now then
      nodes = nodes + 1
      if since > 0 then call('HSET', L, other, int(until_) .. ' 0') end
    elseif since == 0 then
      call('HSET', L, other, int(until_) .. ' ' .. stamp)
    elseif now - since >= tonumber(grace) then
      more = remove_node(other) or more
    end
  end
  for _, id in ipairs(call('ZRANGEBYSCORE', P .. ':it', '-inf', int(now - 2000), 'LIMIT', 0, 100)) do
    local i = invitation(id)
    if i then expire(i) else call('ZREM', P .. ':it', id) end
  end
  reply('ok', more and '1' or '0', tostring(nodes), call('HGET', N, 'dropped') or '0')
end

-- Removes the node.
function ops.deregister()
  reply('ok', remove_node(node) and '1' or '0')
end

-- Renews the expiry of keys, by the ends of their names.
function ops.renew()
  for _, name in ipairs(arguments(1)) do renew(P .. name) end
  reply('ok')
end

-- Sessions ---------------------------------------------------------------------------------------------------------

-- Sets the owner of a record, and returns its fields.
function ops.take(account, owner, ttl)
  local key = P .. ':z:' .. account
  reply('ok', pack(call('HGETALL', key)))
  call('HSET', key, 'o', owner)
  call('PEXPIRE', key, ttl)
end

-- Saves changes of a record. `mode` is `all` if other fields are removed, `end` if an empty record is removed, else empty. The rest:
-- the number of entries of the node's stream that the changes come from, those, the number of fields to remove, those, and fields
-- with their values. Messages of a session that does not own the record go to the account's next login.
function ops.save(account, owner, ttl, mode, entries)
  local key, words = P .. ':z:' .. account, arguments(6)
  local at = call('HGET', key, 'o')
  entries = tonumber(entries)
  if at and at ~= owner then
    for i = 1, entries do
      local entry = call('XRANGE', S .. node, words[i], words[i])[1]
      local e = entry and unpacked(entry[2][2])
      if e and e[4] == 'peer' then
        local place, login = login_of(e[5])
        if place and login ~= e[6] then
          message(place, e[5], login, e[7], e[8], e[9])
        else
          store(e[5], e[7], e[8], e[9], true)
        end
      end
    end
  end
  -- Entries before them may be unprocessed, so the end of the batch may not remove them.
  remove_entries(S .. node, words, entries)
  if at and at ~= owner then return reply('replaced') end
  if mode == 'all' then call('DEL', key) end
  local count = tonumber(words[entries + 1])
  local first = entries + 2
  for i = first, first + count - 1 do call('HDEL', key, words[i]) end
  call('HSET', key, 'o', owner)
  for i = first + count, #words, 2 do call('HSET', key, words[i], words[i + 1]) end
  call('PEXPIRE', key, ttl)
  if mode == 'end' and call('HLEN', key) <= 2 then call('DEL', key) end
  if not at and mode == '' then return reply('none') end
  reply('ok')
end

-- Does nothing; its answer has a place in the order.
function ops.nothing() reply('ok') end

local at = 8
while ARGV[at] do
  first_argument, last_argument = at + 2, at + 1 + tonumber(ARGV[at + 1])
  ops[ARGV[at]](unpack(ARGV, first_argument, math.min(last_argument, at + 1 + MOST_PARAMETERS)))
  at = last_argument + 1
end

-- Last, because refused changes of a record forward their messages.
if done ~= '' then call('XTRIM', S .. node, 'MINID', done) end
local result = {'ok', before, stamp, items}
if call('EXISTS', N) == 1 then call('HSET', N, 'seq', ARGV[2], 'reply', cmsgpack.pack(result)) end
return result
