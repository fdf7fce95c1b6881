#!lua name=recado_VERSION
--[[
The mailbox: every change of a conversation, each one atomic. Knows nothing of what messages and turns say: payloads and
turn records are opaque bytes.

Every call names one key, the tag `{recado:0}`; all other names are derived from it, so that they share its cluster
slot.

  dedupe:<mark>            string  this message was taken; written last
  alias:<hash>             string  person id behind a phone number or user id
  merged:<person>          string  the person this one was found to be
  optout:<hash>            string  whoever is behind this alias has opted out
  person:<id>              hash    id phone user_id name opted_out first_seen_ms former marketing marketing_ms
                                   at:<channel>:<endpoint> = conversation
  person:<id>:aliases      set     alias hashes
  person:<id>:mailboxes    set     conversation ids, merged ones too
  message:<mark>           hash    id at_ms payload slot turn transcript
  conversation:<id>        hash    person channel endpoint seq inbound_ms first_ms last_ms urgent
                                   head token lane claimed paused_until_ms pause_reason into former
  conversation:<id>:waiting  zset  slots by message time; a slot is <arrival><kind m|c><lane v|f><mark>
  conversation:<id>:resume   list  turns that run ahead of what waits: repairs, replays, turns of a merged mailbox
  conversation:<id>:turns    zset  turn ids by creation
  turn:<id>                hash    state (open done dead cancelled discarded) outcome reason kind lane conversation
                                   channel endpoint marks message_count created_ms closed_ms record
                                   run runner running alone grouped single suspect deaths crashes failures retry_ms
                                   settled answer interrupted sending sent cancel awaits news repair repair_claimed
                                   repaired replayed
  receipts:<turn>          hash    <part>:<attempt> = "<status> <at_ms> <fault> <curable> <message id>"
  due                      zset    conversations by the time they want a token
  backlog                  zset    conversations by the arrival of their oldest unanswered message
  lane:fast, lane:voice    stream  tokens: leave to work on one conversation; removed when given back
  hear                     stream  marks of messages whose sound could be transcribed ahead, capped
  turns, dead              zset    turn ids by creation, dead letters by death
  erasure:<id>             hash    at_ms conversations, and phone user_id while somebody needs them
  erasure:<id>:keepers     set     who may still keep something of that person
  erasures                 set     erasures that are not finished
  recordings               zset    folders of recorded webhooks by the time until which they may hold something
  log                      hash    removed: counts removals; rewritten: up to which the store's log is rid of them
  pace:<endpoint>[:<person>]  string  when all sends that are booked will be made up for at the limit's rate, in ms
  alerts                   zset    what the channel said of the account, by time
  hold, stopped            string  why nothing may be sent now
  ruled_at                 string  when the last ruling on sending was given
  arrivals, status_at

A conversation has at most one token and at most one head turn. `schedule` alone decides what it does next.
]]

local function call(...) return redis.call(...) end -- there is no redis.call while the library loads
local GROUP = 'workers'
local LANES = {'fast', 'voice'}
local RANK = {sent = 1, failed = 2, delivered = 3, read = 4, played = 5}

-- Set before each call; functions run one at a time. The settings seldom change from one call to the next.
local tag, cfg, now
local cfg_text

local function key(...) return table.concat({tag, ...}, ':') end
local function conversation_key(id) return key('conversation', id) end
local function waiting_key(id) return key('conversation', id, 'waiting') end
local function resume_key(id) return key('conversation', id, 'resume') end
local function turn_key(id) return key('turn', id) end
local function receipts_key(id) return key('receipts', id) end
local function message_key(mark) return key('message', mark) end
local function person_key(id) return key('person', id) end
local function lane_key(lane) return key('lane', lane) end
local function fields(name, ...) return unpack(call('HMGET', name, ...)) end
local function words(text) return string.gmatch(text or '', '%S+') end
local function expire(ttl_ms, ...) for _, name in ipairs({...}) do call('PEXPIRE', name, ttl_ms) end end

-- Refuses a key of another type before anything is written.
local function expect(kind, ...)
  for _, name in ipairs({...}) do
    local found = call('TYPE', name).ok
    if found ~= 'none' and found ~= kind then
      error({err = 'WRONGTYPE a ' .. kind .. ' of the mailbox is a ' .. found})
    end
  end
end

-- Makes a function callable. A full store takes nothing new in, but finishes what it has.
local function serve(name, implementation)
  redis.register_function{
    function_name = 'recado_VERSION_' .. name,
    flags = name == 'put' and {} or {'allow-oom'},
    callback = function(keys, args)
      local time = call('TIME')
      tag = keys[1]
      if args[1] ~= cfg_text then cfg_text, cfg = args[1], cjson.decode(args[1]) end
      now = time[1] * 1000 + math.floor(time[2] / 1000)
      return implementation(unpack(args, 2))
    end,
  }
end

-- Tokens -------------------------------------------------------------------------------------------------------------

-- Takes back whatever token the conversation has; whoever holds it meets LOST or CANCELLED.
local function withdraw(id)
  local token, lane = fields(conversation_key(id), 'token', 'lane')
  if token then
    call('XACK', lane_key(lane), GROUP, token)
    call('XDEL', lane_key(lane), token)
    call('HDEL', conversation_key(id), 'token', 'lane', 'claimed')
  end
end

local function issue(id, lane)
  local token = call('XADD', lane_key(lane), '*', 'conversation', id)
  call('HSET', conversation_key(id), 'token', token, 'lane', lane)
  call('ZREM', key('due'), id)
end

local function owner(lane, token)
  local pending = call('XPENDING', lane_key(lane), GROUP, token, token, 1)
  return pending[1] and pending[1][2]
end

-- The slots of the next turn: one command, or all messages before the first command. Returns slots, lane, kind.
local function next_burst(id)
  local burst, lane = {}, 'fast'
  for _, slot in ipairs(call('ZRANGE', waiting_key(id), 0, -1)) do
    if slot:sub(15, 15) == 'c' then
      if #burst == 0 then return {slot}, 'fast', 'command' end
      break
    end
    burst[#burst + 1] = slot
    if slot:sub(16, 16) == 'v' then lane = 'voice' end
  end
  return burst, lane, 'message'
end

-- The conversation, or the person, that a merged one lives on in.
local function living_conversation(id)
  local into = call('HGET', conversation_key(id), 'into')
  return into and living_conversation(into) or id
end

local function living_person(id)
  local into = call('GET', key('merged', id))
  return into and living_person(into) or id
end

local schedule

-- Moves what may move from a merged conversation to the one that lives on; a claimed head stays until it is settled.
local function hand_over(from, into)
  local head, claimed, first, last, urgent =
    fields(conversation_key(from), 'head', 'claimed', 'first_ms', 'last_ms', 'urgent')
  for _, slot in ipairs(call('ZRANGE', waiting_key(from), 0, -1)) do
    call('ZADD', waiting_key(into), call('ZSCORE', waiting_key(from), slot), slot)
  end
  if first and call('EXISTS', waiting_key(from)) == 1 then
    local own_first, own_last = fields(conversation_key(into), 'first_ms', 'last_ms')
    call('HSET', conversation_key(into), 'first_ms', math.min(first, own_first or first))
    call('HSET', conversation_key(into), 'last_ms', math.max(last, own_last or last))
    if urgent then call('HSET', conversation_key(into), 'urgent', 1) end
  end
  for _, turn in ipairs(call('LRANGE', resume_key(from), 0, -1)) do
    call('HSET', turn_key(turn), 'conversation', into)
    call('RPUSH', resume_key(into), turn)
  end
  call('DEL', waiting_key(from), resume_key(from))
  call('HDEL', conversation_key(from), 'first_ms', 'last_ms', 'urgent')
  call('ZREM', key('due'), from)
  if not claimed then
    withdraw(from)
    call('ZREM', key('backlog'), from)
    if head then
      call('HSET', turn_key(head), 'conversation', into)
      call('HDEL', conversation_key(from), 'head')
      call('LPUSH', resume_key(into), head)
    end
  end
  expire(cfg.open_ms, waiting_key(into), resume_key(into))
  schedule(into)
end

-- Decides what the conversation does next: its head turn, else a turn to resume, else what waits, else nothing. Safe to
-- call at any time; a conversation whose token is claimed comes back here when that turn is settled.
schedule = function(id)
  local name = conversation_key(id)
  local token, lane, claimed, head, first, last, urgent, into =
    fields(name, 'token', 'lane', 'claimed', 'head', 'first_ms', 'last_ms', 'urgent', 'into')
  if claimed then return end
  if into then return hand_over(id, into) end
  if not head then
    head = call('LPOP', resume_key(id))
    if head then call('HSET', name, 'head', head) end
  end
  local at, wanted
  if head then
    at, wanted = fields(turn_key(head), 'retry_ms', 'lane')
    at = tonumber(at or now)
    if not wanted then -- nobody finished it before it expired
      call('HDEL', name, 'head')
      return schedule(id)
    end
  else
    local burst
    burst, wanted = next_burst(id)
    if #burst == 0 then
      withdraw(id)
      call('ZREM', key('due'), id)
      call('ZREM', key('backlog'), id)
      return
    end
    at = urgent and now or math.min(first + cfg.burst_max_ms, last + cfg.quiet_ms)
  end
  call('ZADD', key('backlog'), 'NX', first or now, id)
  if token and lane == wanted then return end
  withdraw(id)
  if token or at <= now then issue(id, wanted) else call('ZADD', key('due'), at, id) end
end

-- Turns --------------------------------------------------------------------------------------------------------------

-- Ends a turn; `why` is the outcome of one that is done, else the reason. Its messages go, unless it is a dead letter
-- that may be replayed; the conversation goes on.
local function close(turn, state, why)
  local name = turn_key(turn)
  local id, marks = fields(name, 'conversation', 'marks')
  local ttl_ms = state == 'dead' and cfg.dead_ms or cfg.closed_ms
  call('HSET', name, 'state', state, state == 'done' and 'outcome' or 'reason', why, 'closed_ms', now)
  call('HSET', name, 'running', 0, 'alone', 0, 'grouped', 0, 'sending', 0)
  call('HDEL', name, 'replayed')
  expire(ttl_ms, name, receipts_key(turn))
  for mark in words(marks) do
    if state == 'dead' then expire(ttl_ms, message_key(mark)) else call('DEL', message_key(mark)) end
  end
  if state == 'dead' then
    call('ZADD', key('dead'), now, turn)
    call('ZREMRANGEBYSCORE', key('dead'), '-inf', now - cfg.dead_ms)
    expire(cfg.dead_ms, key('dead'))
  else
    call('HSET', name, 'marks', '')
  end
  if call('HGET', conversation_key(id), 'head') == turn then
    withdraw(id)
    call('HDEL', conversation_key(id), 'head')
    call('ZREM', key('backlog'), id)
    schedule(id)
  end
end

-- Runs a closed turn again, ahead of what waits.
local function reopen(turn)
  local name = turn_key(turn)
  local id = call('HGET', name, 'conversation')
  if call('EXISTS', conversation_key(id)) == 0 then return end
  call('HSET', name, 'state', 'open', 'failures', 0, 'crashes', 0, 'retry_ms', now)
  call('HDEL', name, 'outcome', 'closed_ms', 'cancel', 'interrupted')
  expire(cfg.open_ms, name, receipts_key(turn))
  for mark in words(call('HGET', name, 'marks')) do expire(cfg.open_ms, message_key(mark)) end
  call('RPUSH', resume_key(id), turn)
  expire(cfg.open_ms, resume_key(id))
  schedule(id)
end

-- Puts a message among those that wait.
local function wait_in_line(id, mark, slot, at_ms)
  if call('EXISTS', waiting_key(id)) == 0 then call('HSET', conversation_key(id), 'first_ms', now) end
  call('HSET', conversation_key(id), 'last_ms', now)
  call('ZADD', waiting_key(id), at_ms, slot)
  expire(cfg.open_ms, waiting_key(id), message_key(mark))
end

-- Ends the head turn before more of it is sent; with a part in flight, as soon as that part is settled. Commands are
-- never cancelled. When one message is revoked, the others of its burst wait again.
local function cancel_head(id, reason, revoked)
  local head = call('HGET', conversation_key(id), 'head')
  if not head then return end
  local name = turn_key(head)
  local kind, sending, sent, marks = fields(name, 'kind', 'sending', 'sent', 'marks')
  if kind ~= 'message' or (revoked and sent == '1') then return end
  if sending == '1' then
    call('HSET', name, 'cancel', reason)
    return
  end
  if revoked then
    for mark in words(marks) do
      local slot, at_ms = fields(message_key(mark), 'slot', 'at_ms')
      if slot and mark ~= revoked then
        wait_in_line(id, mark, slot, at_ms)
        call('HDEL', message_key(mark), 'turn')
        call('HSET', conversation_key(id), 'urgent', 1)
      end
    end
    call('HSET', name, 'marks', revoked)
  end
  close(head, 'cancelled', reason)
end

-- Cancels all that was written up to `at_ms` and is not yet being sent, but for commands.
local function stop(id, at_ms)
  for _, slot in ipairs(call('ZRANGEBYSCORE', waiting_key(id), '-inf', at_ms)) do
    if slot:sub(15, 15) == 'm' then
      call('ZREM', waiting_key(id), slot)
      call('DEL', message_key(slot:sub(17)))
    end
  end
  for _, turn in ipairs(call('LRANGE', resume_key(id), 0, -1)) do
    if call('HGET', turn_key(turn), 'kind') == 'message' then
      call('LREM', resume_key(id), 1, turn)
      close(turn, 'cancelled', 'stop')
    end
  end
  cancel_head(id, 'stop')
end

-- People -------------------------------------------------------------------------------------------------------------

-- Keeps an opt-out by alias as well: it outlives the person's record.
local function mark_opt_out(person, aliases)
  if call('HGET', person_key(person), 'opted_out') ~= '1' then return end
  for _, alias in ipairs(aliases) do call('SET', key('optout', alias), 1, 'PX', cfg.opt_out_ms) end
end

-- Adds an id, and those it was known by, to the former ids of what lives on.
local function note_former(stays, id, goes)
  local own, others = call('HGET', stays, 'former') or '', call('HGET', goes, 'former') or ''
  call('HSET', stays, 'former', own .. ' ' .. id .. ' ' .. others)
end

-- Joins two mailboxes of one person; the one whose head is being worked on lives on. Returns its id.
local function merge_mailboxes(a, b)
  local a_claimed = call('HGET', conversation_key(a), 'claimed')
  if not a_claimed and call('HGET', conversation_key(b), 'claimed') then a, b = b, a end
  local into, from = conversation_key(a), conversation_key(b)
  for _, field in ipairs({'inbound_ms', 'paused_until_ms'}) do
    local value = math.max(call('HGET', into, field) or 0, call('HGET', from, field) or 0)
    if value > 0 then call('HSET', into, field, value) end
  end
  local reason = call('HGET', from, 'pause_reason')
  if reason then call('HSETNX', into, 'pause_reason', reason) end
  note_former(into, b, from)
  call('HSET', from, 'into', a)
  hand_over(b, a)
  return a
end

-- Joins two persons found to be one. The older stays, the stricter opt-out and the newest choice about marketing win.
-- Returns its id.
local function merge_people(a, b)
  local a_seen, b_seen = call('HGET', person_key(a), 'first_seen_ms'), call('HGET', person_key(b), 'first_seen_ms')
  if tonumber(b_seen) < tonumber(a_seen) then a, b = b, a end
  local stays, goes = person_key(a), person_key(b)
  for _, id in ipairs(call('SMEMBERS', goes .. ':mailboxes')) do call('HSET', conversation_key(id), 'person', a) end
  for _, alias in ipairs(call('SMEMBERS', goes .. ':aliases')) do
    call('SET', key('alias', alias), a, 'PX', cfg.people_ms)
  end
  local choice, at_ms = fields(goes, 'marketing', 'marketing_ms')
  if at_ms and tonumber(at_ms) > tonumber(call('HGET', stays, 'marketing_ms') or 0) then
    call('HSET', stays, 'marketing', choice, 'marketing_ms', at_ms)
  end
  local all = call('HGETALL', goes)
  for i = 1, #all, 2 do
    local field, value = all[i], all[i + 1]
    if field:sub(1, 3) == 'at:' then
      local own = call('HGET', stays, field)
      call('HSET', stays, field, own and own ~= value and merge_mailboxes(own, value) or value)
    elseif field == 'opted_out' then
      if value == '1' then call('HSET', stays, field, 1) end
    elseif field ~= 'former' then
      call('HSETNX', stays, field, value)
    end
  end
  note_former(stays, b, goes)
  for _, set in ipairs({':aliases', ':mailboxes'}) do call('SUNIONSTORE', stays .. set, stays .. set, goes .. set) end
  call('DEL', goes, goes .. ':aliases', goes .. ':mailboxes')
  call('SET', key('merged', b), a, 'PX', cfg.people_ms)
  return a
end

-- The person behind the aliases, made if new, merged if they were two. Returns id, whether new.
local function resolve_person(aliases, fresh)
  local person
  for _, alias in ipairs(aliases) do
    local found = call('GET', key('alias', alias))
    if found and call('EXISTS', person_key(found)) == 1 and found ~= person then
      person = person and merge_people(person, found) or found
    end
  end
  local new = not person
  if new then
    person = fresh
    call('HSET', person_key(person), 'id', person, 'first_seen_ms', now, 'opted_out', 0)
  end
  for _, alias in ipairs(aliases) do
    call('SET', key('alias', alias), person, 'PX', cfg.people_ms)
    if call('SADD', person_key(person) .. ':aliases', alias) == 1 and call('EXISTS', key('optout', alias)) == 1 then
      call('HSET', person_key(person), 'opted_out', 1)
    end
  end
  mark_opt_out(person, aliases)
  return person, new
end

-- The person's conversation with one of our numbers, made if new.
local function resolve_conversation(person, channel, endpoint, fresh)
  local name, field = person_key(person), 'at:' .. channel .. ':' .. endpoint
  local id = call('HGET', name, field)
  if not id or call('EXISTS', conversation_key(id)) == 0 then
    id = fresh
    call('HSET', name, field, id)
    call('HSET', conversation_key(id), 'person', person, 'channel', channel, 'endpoint', endpoint)
    call('SADD', name .. ':mailboxes', id)
  end
  expire(cfg.people_ms, conversation_key(id), name, name .. ':aliases', name .. ':mailboxes')
  return id
end

-- Intake -------------------------------------------------------------------------------------------------------------

-- Takes one message durably and once. Returns {duplicate, conversation, person, new person}.
serve('put', function(mark, target, phone_alias, user_alias, fresh_person, fresh_conversation, channel, endpoint,
                        at_ms, effect, lane, media, pause_ms, phone, user_id, name, message_id, payload)
  local seen = call('GET', key('dedupe', mark))
  if seen then
    local id, person = seen:match('^(%S+) (%S+)$')
    return {1, id, person, 0}
  end
  expect('zset', key('due'), key('backlog'))
  expect('stream', lane_key('fast'), lane_key('voice'), key('hear'))
  expect('hash', message_key(mark))
  at_ms = tonumber(at_ms)

  local aliases = {}
  if phone_alias ~= '' then aliases[#aliases + 1] = phone_alias end
  if user_alias ~= '' then aliases[#aliases + 1] = user_alias end
  local person, new = resolve_person(aliases, fresh_person)
  for field, value in pairs({phone = phone, user_id = user_id, name = name}) do
    if value ~= '' then call('HSET', person_key(person), field, value) end
  end
  local id = resolve_conversation(person, channel, endpoint, fresh_conversation)
  local conversation = conversation_key(id)
  expect('zset', waiting_key(id))

  if effect == 'message' or effect == 'command' or effect == 'stop' then
    if effect == 'stop' then stop(id, at_ms) end
    local inbound_ms = math.max(math.min(at_ms, now), call('HGET', conversation, 'inbound_ms') or 0)
    call('HSET', conversation, 'inbound_ms', inbound_ms)
    -- A put that broke off half-way left its slot; the redelivery uses it again.
    local kind = effect == 'message' and 'm' or 'c'
    local slot = call('HGET', message_key(mark), 'slot')
      or string.format('%014d', call('INCR', key('arrivals'))) .. kind .. lane:sub(1, 1) .. mark
    call('HSET', message_key(mark), 'id', message_id, 'at_ms', at_ms, 'payload', payload, 'slot', slot)
    wait_in_line(id, mark, slot, at_ms)
    if effect ~= 'message' then call('HSET', conversation, 'urgent', 1) end
    if media == '1' then call('XADD', key('hear'), 'MAXLEN', '~', cfg.hear_max, '*', 'mark', mark) end
    schedule(id)
  elseif effect == 'revoke' then
    local slot, turn = fields(message_key(target), 'slot', 'turn')
    if not slot then
      -- It may come before what it revokes: then that one counts as seen. A message already answered has its mark.
      call('SET', key('dedupe', target), id .. ' ' .. person, 'PX', cfg.dedupe_ms, 'NX')
    elseif turn and turn == call('HGET', conversation, 'head') then
      cancel_head(id, 'revoked', target)
    elseif call('ZREM', waiting_key(id), slot) == 1 then
      call('DEL', message_key(target))
      schedule(id)
    end
  elseif effect == 'takeover' then
    local until_ms = math.max(math.min(at_ms, now) + pause_ms, call('HGET', conversation, 'paused_until_ms') or 0)
    call('HSET', conversation, 'paused_until_ms', until_ms, 'pause_reason', 'takeover')
    cancel_head(id, 'takeover')
  end
  call('SET', key('dedupe', mark), id .. ' ' .. person, 'PX', cfg.dedupe_ms)
  return {0, id, person, new and 1 or 0}
end)

-- Keeps whether a person wants marketing messages; the newest choice stands.
serve('note_marketing', function(phone_alias, user_alias, fresh_person, phone, user_id, wanted, at_ms)
  local aliases = {}
  if phone_alias ~= '' then aliases[#aliases + 1] = phone_alias end
  if user_alias ~= '' then aliases[#aliases + 1] = user_alias end
  local name = person_key(resolve_person(aliases, fresh_person))
  if phone ~= '' then call('HSET', name, 'phone', phone) end
  if user_id ~= '' then call('HSET', name, 'user_id', user_id) end
  if tonumber(call('HGET', name, 'marketing_ms') or 0) <= tonumber(at_ms) then
    call('HSET', name, 'marketing', wanted, 'marketing_ms', at_ms)
  end
  expire(cfg.people_ms, name, name .. ':aliases', name .. ':mailboxes')
end)

-- Takes one receipt durably; it only moves forward. Returns 1 when it belongs to a turn we know.
serve('receipt', function(turn, part_attempt, endpoint, status, at_ms, message_id, fault, curable)
  call('SET', key('status_at'), now, 'PX', cfg.closed_ms)
  local name = turn_key(turn)
  local state, own_endpoint, id, running, awaits =
    fields(name, 'state', 'endpoint', 'conversation', 'running', 'awaits')
  if not state or own_endpoint ~= endpoint then return 0 end
  local best = call('HGET', receipts_key(turn), part_attempt)
  if best and RANK[best:match('^%a+')] >= RANK[status] then return 1 end
  call('HSET', receipts_key(turn), part_attempt, table.concat({status, at_ms, fault, curable, message_id}, ' '))
  expire(call('PTTL', name), receipts_key(turn))
  if status == 'failed' and curable == '1' then
    call('HINCRBY', name, 'repair', 1)
    if state == 'done' then
      reopen(turn)
      return 1
    end
  end
  if state == 'open' then
    call('HSET', name, 'news', 1)
    if running ~= '1' and awaits == '1' then
      call('HSET', name, 'retry_ms', now)
      schedule(id)
    end
  end
  return 1
end)

-- Work ---------------------------------------------------------------------------------------------------------------

-- Gives a token to every conversation that is due, at most `limit`. Returns ms until the next is due, or -1.
serve('pump', function(limit)
  for _, id in ipairs(call('ZRANGEBYSCORE', key('due'), '-inf', now, 'LIMIT', 0, limit)) do
    call('ZREM', key('due'), id)
    schedule(id)
  end
  local first = call('ZRANGE', key('due'), 0, 0, 'WITHSCORES')
  return first[2] and math.max(0, first[2] - now) or -1
end)

-- Moves tokens idle for `min_idle_ms` to this consumer and forgets consumers long gone. Returns
-- {{lane, token, conversation}…}.
serve('recover', function(consumer, min_idle_ms, count)
  local found = {}
  for _, lane in ipairs(LANES) do
    local cursor = '0-0'
    while #found < tonumber(count) do
      local reply = call('XAUTOCLAIM', lane_key(lane), GROUP, consumer, min_idle_ms, cursor, 'COUNT', count - #found)
      cursor = reply[1]
      for _, entry in ipairs(reply[2]) do found[#found + 1] = {lane, entry[1], entry[2][2]} end
      if cursor == '0-0' then break end
    end
    for _, info in ipairs(call('XINFO', 'CONSUMERS', lane_key(lane), GROUP)) do
      if info[4] == 0 and info[6] > cfg.consumer_ms and info[2] ~= consumer then
        call('XGROUP', 'DELCONSUMER', lane_key(lane), GROUP, info[2])
      end
    end
  end
  return found
end)

-- Turns a token into work: the head turn again, or what waits, frozen as a new turn. Returns nil for a stale token, else
-- {turn id, turn, conversation, person, receipts, messages}; a suspect must run apart from all that is none.
serve('claim', function(id, token, lane, consumer, recovered)
  local conversation = conversation_key(id)
  local current, turn = fields(conversation, 'token', 'head')
  if current ~= token then
    call('XACK', lane_key(lane), GROUP, token)
    call('XDEL', lane_key(lane), token)
    return nil
  end
  if owner(lane, token) ~= consumer then return nil end
  if turn then
    local running, runner, alone = fields(turn_key(turn), 'running', 'runner', 'alone')
    if running == '1' and (recovered == '1' or runner ~= consumer) then
      -- Whoever was in a group that crashed is told from its neighbours by running alone; only that crash counts.
      if call('HGET', turn_key(turn), 'grouped') == '1' then call('HSET', turn_key(turn), 'single', 1) end
      call('HSET', turn_key(turn), 'suspect', 1, 'alone', 0, 'grouped', 0, 'interrupted', 1)
      call('HINCRBY', turn_key(turn), 'deaths', 1)
      if alone == '1' and call('HINCRBY', turn_key(turn), 'crashes', 1) >= cfg.crash_limit then
        close(turn, 'dead', 'CRASHED')
        return nil
      end
    end
  else
    local burst, wanted, kind = next_burst(id)
    if #burst == 0 or wanted ~= lane then
      schedule(id)
      return nil
    end
    turn = '0-' .. id .. '-' .. call('HINCRBY', conversation, 'seq', 1)
    local marks = {}
    for _, slot in ipairs(burst) do
      local mark = slot:sub(17)
      marks[#marks + 1] = mark
      call('ZREM', waiting_key(id), slot)
      call('HSET', message_key(mark), 'turn', turn)
    end
    local channel, endpoint = fields(conversation, 'channel', 'endpoint')
    call('HSET', turn_key(turn), 'state', 'open', 'kind', kind, 'lane', lane, 'conversation', id, 'channel', channel,
      'endpoint', endpoint, 'marks', table.concat(marks, ' '), 'message_count', #marks, 'created_ms', now)
    call('HSET', conversation, 'head', turn)
    -- What the turn left behind has waited long enough: it follows at once.
    if call('EXISTS', waiting_key(id)) == 1 then
      call('HSET', conversation, 'urgent', 1)
    else
      call('HDEL', conversation, 'urgent', 'first_ms', 'last_ms')
    end
    for _, index in ipairs({key('turns'), key('conversation', id, 'turns')}) do
      call('ZADD', index, now, turn)
      call('ZREMRANGEBYSCORE', index, '-inf', now - cfg.open_ms - cfg.closed_ms)
      expire(cfg.open_ms + cfg.closed_ms, index)
    end
  end
  call('HSET', conversation, 'claimed', 1)
  call('HINCRBY', turn_key(turn), 'run', 1)
  call('HSET', turn_key(turn), 'running', 1, 'runner', consumer)
  call('HSET', turn_key(turn), 'repair_claimed', call('HGET', turn_key(turn), 'repair') or 0)
  call('HDEL', turn_key(turn), 'news')
  expire(cfg.open_ms, turn_key(turn))
  local messages = {}
  for mark in words(call('HGET', turn_key(turn), 'marks')) do
    messages[#messages + 1] = call('HGETALL', message_key(mark))
    expire(cfg.open_ms, message_key(mark))
  end
  return {turn, call('HGETALL', turn_key(turn)), call('HGETALL', conversation),
    call('HGETALL', person_key(call('HGET', conversation, 'person'))), call('HGETALL', receipts_key(turn)), messages}
end)

-- Leases -------------------------------------------------------------------------------------------------------------
-- Each call begins with (conversation, turn, token, lane, consumer, run) and answers OK, LOST, CANCELLED or DEAD.

-- nil when the caller still holds the turn; otherwise the answer to give, the same again to a repeated call.
local function fence(id, turn, token, lane, consumer, run)
  local state, current, settled, answer = fields(turn_key(turn), 'state', 'run', 'settled', 'answer')
  if settled == run then return answer end
  if state == 'cancelled' and current == run then return 'CANCELLED' end
  local ours = state == 'open' and current == run and call('HGET', conversation_key(id), 'token') == token
  if not ours or owner(lane, token) ~= consumer then return 'LOST' end
end

-- Stores the record; one that only announces another send is not kept when a cancellation waits. Closes the turn then,
-- and returns true.
local function keep(turn, record, sending)
  local cancel = call('HGET', turn_key(turn), 'cancel')
  if not (cancel and sending == '1') then
    call('HSET', turn_key(turn), 'record', record, 'sending', sending)
    call('HDEL', turn_key(turn), 'replayed')
    if sending == '1' then call('HSET', turn_key(turn), 'sent', 1) end
  end
  if cancel then close(turn, 'cancelled', cancel) end
  return cancel
end

-- As `fence`, for calls that end a run: on a cancelled turn they only keep the last record.
local function fence_end(id, turn, token, lane, consumer, run, record)
  local answer = fence(id, turn, token, lane, consumer, run)
  if answer == 'CANCELLED' then
    call('HSET', turn_key(turn), 'record', record)
    return 'OK'
  end
  return answer
end

-- Hands the turn back to run again at `retry_ms`; it stays the head, so order holds.
local function put_back(id, turn, run, reason, retry_ms)
  local name = turn_key(turn)
  call('HSET', name, 'retry_ms', retry_ms, 'running', 0, 'alone', 0, 'grouped', 0, 'interrupted', 0, 'reason', reason)
  call('HSET', name, 'settled', run, 'answer', 'OK')
  expire(cfg.open_ms, name)
  withdraw(id)
  schedule(id)
end

-- A suspect's run begins, with `others` suspects beside it. Alone, a crash counts from here on; among others, the run
-- after a crash is alone.
serve('begin_suspect', function(id, turn, token, lane, consumer, run, others)
  local answer = fence(id, turn, token, lane, consumer, run)
  if answer then return answer end
  call('HSET', turn_key(turn), others == '0' and 'alone' or 'grouped', 1)
  return 'OK'
end)

-- Keeps the record while the turn goes on; `sending` says that a part is about to be sent.
serve('save', function(id, turn, token, lane, consumer, run, record, sending)
  local answer = fence(id, turn, token, lane, consumer, run)
  if answer then return answer end
  return keep(turn, record, sending) and 'CANCELLED' or 'OK'
end)

-- The turn is answered. A curable failure that came while it ran opens it again.
serve('done', function(id, turn, token, lane, consumer, run, record, outcome)
  local answer = fence_end(id, turn, token, lane, consumer, run, record)
  if answer then return answer end
  local repair, claimed = fields(turn_key(turn), 'repair', 'repair_claimed')
  call('HSET', turn_key(turn), 'record', record, 'repaired', claimed, 'settled', run, 'answer', 'OK')
  close(turn, 'done', outcome)
  if tonumber(repair or 0) > tonumber(claimed) then reopen(turn) end
  return 'OK'
end)

-- One attempt is used up: the turn runs again after a backoff (`jitter` of it, in [0, 1]), or is DEAD after the last.
serve('fail', function(id, turn, token, lane, consumer, run, record, reason, jitter)
  local answer = fence_end(id, turn, token, lane, consumer, run, record)
  if answer then return answer end
  if keep(turn, record, '0') then return 'OK' end
  local failures = call('HINCRBY', turn_key(turn), 'failures', 1)
  if failures >= cfg.max_attempts then
    call('HSET', turn_key(turn), 'settled', run, 'answer', 'DEAD')
    close(turn, 'dead', reason)
    return 'DEAD'
  end
  local backoff_ms = math.min(cfg.retry_cap_ms, cfg.retry_base_ms * 2 ^ (failures - 1))
  call('HSET', turn_key(turn), 'awaits', 0)
  put_back(id, turn, run, reason, now + math.floor(jitter * backoff_ms))
  return 'OK'
end)

-- Hands the turn back without using an attempt. One that awaits a receipt runs as soon as one comes, or has come.
serve('defer', function(id, turn, token, lane, consumer, run, record, reason, retry_in_ms, awaits)
  local answer = fence_end(id, turn, token, lane, consumer, run, record)
  if answer then return answer end
  if keep(turn, record, '0') then return 'OK' end
  local news = awaits == '1' and call('HGET', turn_key(turn), 'news')
  call('HSET', turn_key(turn), 'awaits', awaits)
  put_back(id, turn, run, reason, news and now or now + retry_in_ms)
  return 'OK'
end)

-- Gives the turn up.
serve('bury', function(id, turn, token, lane, consumer, run, record, reason)
  local answer = fence_end(id, turn, token, lane, consumer, run, record)
  if answer then return answer end
  call('HSET', turn_key(turn), 'record', record, 'settled', run, 'answer', 'OK')
  close(turn, 'dead', reason)
  return 'OK'
end)

-- Renews the leases the consumer still owns, given as lane, token pairs. Returns the places (from 0) of those it lost.
serve('renew', function(consumer, ...)
  local lost, held = {}, {...}
  for i = 1, #held, 2 do
    local lane, token = held[i], held[i + 1]
    if owner(lane, token) == consumer then
      call('XCLAIM', lane_key(lane), GROUP, consumer, 0, token, 'JUSTID')
    else
      lost[#lost + 1] = (i - 1) / 2
    end
  end
  return lost
end)

-- The consumers that hold tokens now.
serve('holders', function()
  local found, seen = {}, {}
  for _, lane in ipairs(LANES) do
    for _, holder in ipairs(call('XPENDING', lane_key(lane), GROUP)[4] or {}) do
      if not seen[holder[1]] then found[#found + 1] = holder[1] end
      seen[holder[1]] = true
    end
  end
  return found
end)

-- The consumer is dead: what it holds may be taken over by the next that looks. Returns how many tokens it holds. The
-- tokens stay its own until then, and one that lives after all keeps them with its next renewal.
serve('release', function(consumer)
  local released = 0
  for _, lane in ipairs(LANES) do
    for _, entry in ipairs(call('XPENDING', lane_key(lane), GROUP, '-', '+', 10000, consumer)) do
      call('XCLAIM', lane_key(lane), GROUP, consumer, 0, entry[1], 'TIME', 0, 'JUSTID')
      released = released + 1
    end
  end
  return released
end)

-- Takes a message off the list of those to be heard. Returns {message id, payload}, or nil if it is gone by now.
serve('hear', function(entry, mark)
  call('XDEL', key('hear'), entry)
  local id, payload = fields(message_key(mark), 'id', 'payload')
  return id and {id, payload} or nil
end)

-- Attaches what was heard to a message that is still there. Returns 1 if it was.
serve('note_transcript', function(mark, transcript)
  if call('EXISTS', message_key(mark)) == 0 then return 0 end
  call('HSET', message_key(mark), 'transcript', transcript)
  return 1
end)

-- Stopping and resuming ----------------------------------------------------------------------------------------------

local STOPPED_FOR_MS = 30 * 24 * 3600 * 1000

-- What the channel (`at_ms` by its clock) or an operator (0: now) says of sending: 'stop' until `until_ms` (0: until
-- further notice), or 'resume'. News come in no order: what is older than the last ruling changes nothing, and a short
-- stop does not shorten a long one. Returns 1 if something changed.
serve('rule_sending', function(ruling, reason, until_ms, at_ms)
  at_ms = at_ms == '0' and now or tonumber(at_ms)
  if at_ms < tonumber(call('GET', key('ruled_at')) or 0) then return 0 end
  call('SET', key('ruled_at'), string.format('%.0f', at_ms), 'PX', STOPPED_FOR_MS)
  if ruling == 'resume' then return math.min(1, call('DEL', key('hold'), key('stopped'))) end
  local left_ms = until_ms == '0' and STOPPED_FOR_MS or until_ms - now
  if left_ms <= math.max(0, call('PTTL', key('stopped'))) then return 0 end
  call('SET', key('stopped'), reason, 'PX', left_ms)
  return 1
end)

-- The pace ----------------------------------------------------------------------------------------------------------

-- Books one send at the limits of the number and of the number to that person: each takes one in `every_ms`, and
-- `burst` at once. Returns the milliseconds to wait before it; a longer wait than `longest_ms` is not booked.
serve('reserve_send', function(endpoint, person, number_every_ms, number_burst, pair_every_ms, pair_burst, longest_ms)
  local wait_ms = 0
  local limits = {
    {key('pace', endpoint), number_every_ms, number_burst},
    {key('pace', endpoint, person), pair_every_ms, pair_burst},
  }
  for _, limit in ipairs(limits) do
    local name, every_ms, burst = unpack(limit)
    -- no more than can be booked: a clock that was set back makes nobody wait for it
    local until_ms = math.min(call('GET', name) or now, now + burst * every_ms + longest_ms)
    limit[4] = math.max(until_ms, now) + every_ms
    wait_ms = math.max(wait_ms, math.ceil(limit[4] - burst * every_ms - now))
  end
  if wait_ms > tonumber(longest_ms) then return wait_ms end
  for _, limit in ipairs(limits) do
    call('SET', limit[1], string.format('%.3f', limit[4]), 'PX', math.ceil(limit[4] - now))
  end
  return wait_ms
end)

-- The desk -----------------------------------------------------------------------------------------------------------

local function summary(turn)
  local flat = call('HGETALL', turn_key(turn))
  return #flat > 0 and {turn, flat, call('HGETALL', receipts_key(turn))} or nil
end

-- One page of an index, newest first: {entries looked at, {{turn id, turn, receipts}…}}. Entries of turns that are
-- forgotten go, so the next page begins behind those that were found.
local function page(index, first, count)
  local found, turns = {}, call('ZREVRANGE', index, first, first + count - 1)
  for _, turn in ipairs(turns) do
    local one = summary(turn)
    if one then found[#found + 1] = one else call('ZREM', index, turn) end
  end
  return {#turns, found}
end

serve('turns', function(first, count) return page(key('turns'), first, count) end)

serve('dead_letters', function(first, count)
  call('ZREMRANGEBYSCORE', key('dead'), '-inf', now - cfg.dead_ms)
  return page(key('dead'), first, count)
end)

-- Dead letters that died up to `until_ms`, oldest first, after the first `skip` of them: {time, {turn id…}}.
serve('oldest_dead', function(until_ms, skip, count)
  if until_ms == '' then until_ms = now end
  return {now, call('ZRANGEBYSCORE', key('dead'), '-inf', until_ms, 'LIMIT', skip, count)}
end)

-- One turn with its messages: {turn id, turn, receipts, messages}.

serve('turn', function(turn)
  local found = summary(turn)
  if not found then return nil end
  found[4] = {}
  for mark in words(call('HGET', turn_key(turn), 'marks')) do
    local message = call('HGETALL', message_key(mark))
    if #message > 0 then table.insert(found[4], message) end
  end
  return found
end)

-- Runs a dead letter again, unless the person wrote too long ago. Returns OK, UNKNOWN or CLOSED.
serve('replay', function(turn)
  local state, id = fields(turn_key(turn), 'state', 'conversation')
  if state ~= 'dead' then return 'UNKNOWN' end
  if now - (call('HGET', conversation_key(id), 'inbound_ms') or 0) >= cfg.window_ms then return 'CLOSED' end
  call('ZREM', key('dead'), turn)
  call('HSET', turn_key(turn), 'replayed', 1)
  reopen(turn)
  return 'OK'
end)

-- Drops a dead letter with its content. Returns OK or UNKNOWN.
serve('discard', function(turn)
  if call('HGET', turn_key(turn), 'state') ~= 'dead' then return 'UNKNOWN' end
  call('ZREM', key('dead'), turn)
  call('HDEL', turn_key(turn), 'record')
  close(turn, 'discarded', 'discarded by an operator')
  return 'OK'
end)

-- Silences the bot in one conversation until `until_ms` (0 ends it). Returns 1 if the conversation exists.
serve('pause', function(id, until_ms, reason, cancel_running)
  id = living_conversation(id)
  if call('EXISTS', conversation_key(id)) == 0 then return 0 end
  call('HSET', conversation_key(id), 'paused_until_ms', until_ms, 'pause_reason', reason)
  if cancel_running == '1' then cancel_head(id, reason) end
  return 1
end)

-- How much lies where: {conversations with work, of them due later, age of the oldest in ms, dead letters, then tokens
-- and leases of each lane}.
serve('depth', function()
  local oldest = call('ZRANGE', key('backlog'), 0, 0, 'WITHSCORES')
  local age_ms = oldest[2] and now - oldest[2] or 0
  local found = {call('ZCARD', key('backlog')), call('ZCARD', key('due')), age_ms, call('ZCARD', key('dead'))}
  for _, lane in ipairs(LANES) do
    found[#found + 1] = call('XLEN', lane_key(lane))
    found[#found + 1] = call('XPENDING', lane_key(lane), GROUP)[1]
  end
  return found
end)

-- The hash of one person; of whoever is behind the first alias that is known.
serve('person', function(person) return call('HGETALL', person_key(living_person(person))) end)

serve('find_person', function(...)
  for _, alias in ipairs({...}) do
    local person = call('GET', key('alias', alias))
    if person then return call('HGETALL', person_key(person)) end
  end
  return nil
end)

-- Returns 1 if the person exists.
serve('set_opt_out', function(person, opted_out)
  person = living_person(person)
  local name = person_key(person)
  if call('EXISTS', name) == 0 then return 0 end
  local aliases = call('SMEMBERS', name .. ':aliases')
  call('HSET', name, 'opted_out', opted_out)
  for _, alias in ipairs(aliases) do call('DEL', key('optout', alias)) end
  mark_opt_out(person, aliases)
  return 1
end)

-- Forgetting ---------------------------------------------------------------------------------------------------------

-- An erasure is remembered until everyone who may keep something outside of the mailbox says that it is gone: 'memory',
-- and every folder of recorded webhooks. Only the folders need the address; where there is none it is not kept.
local function note_erasure(erasure, person, mailboxes)
  local name = key('erasure', erasure)
  call('HSET', name, 'at_ms', now, 'conversations', table.concat(mailboxes, ' '))
  call('SADD', name .. ':keepers', 'memory')
  call('ZREMRANGEBYSCORE', key('recordings'), '-inf', now)
  local ttl_ms, phone, user_id = cfg.open_ms, fields(person_key(person), 'phone', 'user_id')
  local folders = call('ZRANGE', key('recordings'), 0, -1, 'WITHSCORES')
  for i = 1, #folders, 2 do
    call('SADD', name .. ':keepers', folders[i])
    ttl_ms = math.max(ttl_ms, folders[i + 1] - now)
  end
  if #folders > 0 then
    if phone then call('HSET', name, 'phone', phone) end
    if user_id then call('HSET', name, 'user_id', user_id) end
  end
  expire(ttl_ms, name, name .. ':keepers')
  call('SADD', key('erasures'), erasure)
  call('HINCRBY', key('log'), 'removed', 1)
end

local function finish_erasure(erasure)
  local name = key('erasure', erasure)
  if call('SCARD', name .. ':keepers') > 0 then return end
  call('DEL', name)
  call('SREM', key('erasures'), erasure)
  call('HINCRBY', key('log'), 'removed', 1)
end

-- A folder of recorded webhooks may hold something of everybody until then.
serve('enlist_recordings', function(folder, until_ms) call('ZADD', key('recordings'), until_ms, folder) end)

-- The erasures that wait for `keeper`, of those at least so old: {{erasure, hash}…}. A folder whose time is over keeps
-- nothing any more, so nobody waits for it.
serve('erasures', function(keeper, min_age_ms)
  local found = {}
  call('ZREMRANGEBYSCORE', key('recordings'), '-inf', now)
  for _, erasure in ipairs(call('SMEMBERS', key('erasures'))) do
    local name = key('erasure', erasure)
    for _, folder in ipairs(call('SMEMBERS', name .. ':keepers')) do
      if folder ~= 'memory' and not call('ZSCORE', key('recordings'), folder) then
        call('SREM', name .. ':keepers', folder)
      end
    end
    finish_erasure(erasure)
    local old = now - (call('HGET', name, 'at_ms') or now) >= tonumber(min_age_ms)
    if old and call('SISMEMBER', name .. ':keepers', keeper) == 1 then
      found[#found + 1] = {erasure, call('HGETALL', name)}
    end
  end
  return found
end)

-- `keeper` has nothing of that person any more.
serve('erased', function(erasure, keeper)
  if call('SREM', key('erasure', erasure, 'keepers'), keeper) == 1 then finish_erasure(erasure) end
end)

-- The count of removals, if the store's log still holds something that was removed.
serve('log_debt', function()
  local removed, rewritten = fields(key('log'), 'removed', 'rewritten')
  if tonumber(removed or 0) > tonumber(rewritten or 0) then return removed end
  return nil
end)

serve('log_rewritten', function(removed)
  local rewritten = call('HGET', key('log'), 'rewritten')
  call('HSET', key('log'), 'rewritten', math.max(rewritten or 0, removed))
end)

-- Removes all that is kept of a person, running turns too, but for dedupe and opt-out marks. What waits in the
-- conversation `asked_in` was written after the wish to be forgotten: it is a first contact, and its address stays.
-- Returns {conversations, {{turn, record}…}, whether there was such a person}.
serve('erase', function(person, asked_in, erasure)
  person = living_person(person)
  local name, turns, met_anew = person_key(person), {}, false
  local mailboxes = call('SMEMBERS', name .. ':mailboxes')
  local known = call('EXISTS', name)
  if known == 1 then note_erasure(erasure, person, mailboxes) end
  for _, id in ipairs(mailboxes) do
    withdraw(id)
    for _, turn in ipairs(call('ZRANGE', key('conversation', id, 'turns'), 0, -1)) do
      local marks, record = fields(turn_key(turn), 'marks', 'record')
      for mark in words(marks) do call('DEL', message_key(mark)) end
      if record then turns[#turns + 1] = {turn, record} end
      call('DEL', turn_key(turn), receipts_key(turn))
      call('ZREM', key('turns'), turn)
      call('ZREM', key('dead'), turn)
    end
    call('DEL', resume_key(id), key('conversation', id, 'turns'))
    if id == asked_in and call('EXISTS', waiting_key(id)) == 1 then
      call('HDEL', conversation_key(id), 'head', 'former')
      met_anew = true
    else
      for _, slot in ipairs(call('ZRANGE', waiting_key(id), 0, -1)) do call('DEL', message_key(slot:sub(17))) end
      call('ZREM', key('due'), id)
      call('ZREM', key('backlog'), id)
      call('DEL', conversation_key(id), waiting_key(id))
      call('SREM', name .. ':mailboxes', id)
    end
  end
  if met_anew then
    call('HSET', name, 'first_seen_ms', now)
    call('HDEL', name, 'former', 'marketing', 'marketing_ms')
    schedule(asked_in)
    return {mailboxes, turns, known}
  end
  local aliases = call('SMEMBERS', name .. ':aliases')
  mark_opt_out(person, aliases)
  for _, alias in ipairs(aliases) do call('DEL', key('alias', alias)) end
  call('DEL', name, name .. ':aliases', name .. ':mailboxes')
  return {mailboxes, turns, known}
end)
