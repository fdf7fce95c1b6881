// The phone: who writes, what is shown, and what each gesture sends. Everything it knows comes from the control API.

import { $, call, clock, element, words } from "./api.js";
import { build, dayOf, showHeard, summed, timeOf, update } from "./bubbles.js";
import * as drawer from "./drawer.js";
import { record } from "./recorder.js";

const HOLD_MS = 450;
const state = {
  people: [], person: null, number: null, revision: 0, messages: new Map(), captions: new Map(), quoted: null, typing: 0,
};
const chat = () => `/conversations/${state.person}/${state.number.phone_number_id}`;

// --- what is shown -----------------------------------------------------------------------------------------------

async function refreshPeople() {
  const wanted = $("number").value;
  const answer = await call(`/state?phone_number_id=${encodeURIComponent(wanted)}`);
  state.people = answer.people;
  state.number = answer.numbers.find((number) => number.phone_number_id === wanted);
  $("business-name").textContent = state.number.verified_name;
  $("business-avatar").textContent = initials(state.number.verified_name);
  $("people").replaceChildren(...state.people.map(drawPerson));
}

function drawPerson(person, index) {
  const row = $("person-row").content.firstElementChild.cloneNode(true);
  const button = row.querySelector("button");
  row.querySelector(".avatar").textContent = initials(person.name);
  row.querySelector(".avatar").classList.add(`tone-${index % 6}`);
  row.querySelector(".person-name").textContent = person.name;
  const address = person.phone ? `+${person.phone}` : `@${person.username}`;
  row.querySelector(".person-last").replaceChildren(person.newest ? summed(person.newest) : address);
  if (person.newest) row.querySelector("time").textContent = timeOf(person.newest.at_s);
  const badge = row.querySelector(".badge");
  badge.hidden = !person.unread || person.id === state.person;
  badge.append(String(person.unread), element("span", "visually-hidden", ` ${words.unread}`));
  if (person.id === state.person) button.setAttribute("aria-current", "true");
  button.addEventListener("click", () => open(person.id));
  return row;
}

const initials = (name) => (name.match(/\p{L}+/gu) ?? ["?"]).slice(0, 2).map((part) => part[0]).join("").toUpperCase();

async function open(personId) {
  document.body.dataset.view = "chat";
  if (state.person === personId && state.messages.size) return;
  Object.assign(state, { person: personId, revision: 0, messages: new Map(), captions: new Map() });
  quote(null);
  showSpeaker(null);
  sessionStorage.setItem("person", personId);
  $("log").replaceChildren($("empty"));
  await Promise.all([refreshPeople(), pull()]);
}

const pull = oneAtATime(async () => {
  const asked = chat();
  const news = await call(`${asked}?since=${state.revision}`);
  if (asked !== chat()) return;
  state.revision = news.revision;
  const log = $("log");
  const atEnd = endInSight();
  const own = news.messages.some((message) => message.direction === "from_person" && !state.messages.has(message.wamid));
  news.messages.forEach(show);
  $("empty").hidden = state.messages.size > 0;
  showStatus(news);
  if (atEnd || own) log.scrollTop = log.scrollHeight;
  await Promise.all([markRead(), showCaptions(news.messages)]);
});

const endInSight = () => $("log").scrollHeight - $("log").scrollTop - $("log").clientHeight < 120;

// Whoever reads the newest message goes on seeing it when a quote, a keyboard or a longer draft takes room below it.
function keepEndInSight() {
  const log = $("log");
  let seen = true;
  log.addEventListener("scroll", () => (seen = endInSight()));
  new ResizeObserver(() => seen && (log.scrollTop = log.scrollHeight)).observe(log);
}

// A message's caption, asked for once; null where the business tells nothing of it.
function caption(message) {
  const { captions } = state;
  if (!captions.has(message.wamid)) {
    const asked = call(`/messages/${message.wamid}/caption`).then((answer) => answer.caption);
    captions.set(message.wamid, asked);
    asked.then((found) => found ?? captions.delete(message.wamid), () => captions.delete(message.wamid));
  }
  return captions.get(message.wamid);
}

// Who spoke last, and what was understood of the notes that these messages answer.
async function showCaptions(messages) {
  if (!handlers.caption) return;
  const { captions } = state;
  const sent = messages.filter((message) => message.direction === "from_business" && !captions.has(message.wamid));
  const newest = [...state.messages.values()].findLast((message) => message.direction === "from_business");
  for (const message of sent) {
    const found = await caption(message).catch(() => null);
    if (captions !== state.captions) return;
    if (message.wamid === newest?.wamid) showSpeaker(found?.speaker);
    const asked = state.messages.get(message.context_id);
    if (found?.heard && asked?.shown_as === "voice_note") {
      showHeard(document.querySelector(`[data-wamid="${asked.wamid}"]`), found.heard);
    }
  }
}

function showSpeaker(name) {
  $("speaker").hidden = !name;
  $("speaker-name").textContent = name ?? "";
}

function show(message) {
  const known = state.messages.has(message.wamid);
  state.messages.set(message.wamid, message);
  if (message.type === "reaction") return;
  if (known) {
    update(document.querySelector(`[data-wamid="${message.wamid}"]`), message);
    return;
  }
  const day = dayOf(message.at_s);
  if ([...document.querySelectorAll(".day")].at(-1)?.textContent !== day) $("log").append(element("p", "day", day));
  $("log").append(build(message, handlers));
}

function showStatus({ typing_s: typingS, window_open: windowOpen }) {
  clearTimeout(state.typing);
  const status = $("status");
  status.className = typingS > 0 ? "typing" : "";
  const wrote = state.messages.size > 0;
  status.textContent = typingS > 0 ? words.typing : windowOpen || !wrote ? words.online : words.window_closed;
  if (typingS > 0) state.typing = setTimeout(pull, typingS * 1000 + 100);
}

async function markRead() {
  if (document.visibilityState !== "visible" || document.body.dataset.view !== "chat") return;
  const unread = [...state.messages.values()].some(
    (message) => message.direction === "from_business" && "delivered" in message.receipts && !("read" in message.receipts),
  );
  if (unread) await call(`${chat()}/read`, { method: "POST" });
}

function complain(text) {
  $("banner").textContent = text;
  $("banner").hidden = !text;
}

// --- what a gesture sends ----------------------------------------------------------------------------------------

async function send(body) {
  const json = { phone_number_id: state.number.phone_number_id, ...body };
  if (state.quoted && !json.reply_to && json.type !== "reaction") json.reply_to = state.quoted.wamid;
  await attempt(() => call(`/people/${state.person}/messages`, { method: "POST", json }));
}

async function sendVoice(recording) {
  const form = new FormData();
  form.append("phone_number_id", state.number.phone_number_id);
  if (state.quoted) form.append("reply_to", state.quoted.wamid);
  form.append("file", recording, recording.name ?? "recording");
  await attempt(() => call(`/people/${state.person}/voice`, { method: "POST", form }));
}

async function attempt(work) {
  try {
    await work();
    complain("");
    quote(null);
    await pull();
  } catch (error) {
    complain(`${words.not_sent}: ${error.message}`);
  }
}

const handlers = {
  caption: document.body.hasAttribute("data-captions") ? caption : null,
  find: (wamid) => state.messages.get(wamid),
  nameOf: (message) => (message.direction === "from_person" ? words.you : state.number.verified_name),
  played: (message) => call(`/messages/${message.wamid}/receipts`, { method: "POST", json: { status: "played" } }),
  choose(message, kind, reply) {
    $("options").close();
    return send({ type: "interactive", node: { type: kind, [kind]: reply }, reply_to: message.wamid });
  },
  openList(message) {
    const rows = message.node.action.sections.flatMap((section) => [
      ...(section.title ? [element("h3", "", section.title)] : []),
      ...section.rows.map((row) => {
        const line = element("button", "option");
        line.type = "button";
        line.append(element("b", "", row.title), element("span", "", row.description ?? ""));
        line.addEventListener("click", () => handlers.choose(message, "list_reply", row));
        return line;
      }),
    ]);
    $("option-rows").replaceChildren(...rows);
    $("options").showModal();
  },
  more(message, button) {
    state.acting = message;
    const menu = $("actions");
    menu.showPopover();
    const [from, size, log] = [button, menu, $("log")].map((node) => node.getBoundingClientRect());
    menu.style.left = `${Math.max(log.left + 8, Math.min(from.left, log.right - size.width - 8))}px`;
    menu.style.top = `${Math.max(log.top + 8, Math.min(from.bottom + 4, log.bottom - size.height - 8))}px`;
    menu.querySelector("button").focus();
  },
};

function quote(message) {
  state.quoted = message;
  $("quote-strip").hidden = !message;
  if (!message) return;
  $("quote-text").replaceChildren(
    element("b", "", `${words.replying} ${handlers.nameOf(message)}`),
    summed(message),
  );
  $("text").focus();
}

function setUpComposer() {
  const text = $("text");
  const fit = () => {
    const filled = text.value.trim() !== "";
    $("send").hidden = !filled;
    $("mic").hidden = filled;
    text.style.height = "auto";
    text.style.height = `${Math.min(text.scrollHeight, 140)}px`;
  };
  text.addEventListener("input", fit);
  text.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    $("composer").requestSubmit();
  });
  $("composer").addEventListener("submit", async (event) => {
    event.preventDefault();
    const body = text.value.trim();
    if (!body) return;
    text.value = "";
    fit();
    await send({ text: body });
  });
  $("attach").addEventListener("change", async (event) => {
    const [file] = event.target.files;
    if (file) await sendVoice(file);
    event.target.value = "";
  });
  $("quote-cancel").addEventListener("click", () => quote(null));
}

// Held, the microphone records until it is let go; tapped, until the next tap. Escape throws the recording away.
function setUpRecorder() {
  const mic = $("mic");
  let take = null;
  let timer = 0;
  let pressed = 0;

  async function start() {
    take = record((level) => ($("record-level").value = level));
    try {
      const recording = await take;
      complain("");
      $("recorder").hidden = false;
      timer = setInterval(() => ($("record-time").textContent = clock(recording.elapsed())), 200);
    } catch (error) {
      take = null;
      complain(error.message);
    }
  }

  async function end(keep) {
    const recording = await take;
    if (!recording) return;
    take = null;
    clearInterval(timer);
    $("recorder").hidden = true;
    $("record-time").textContent = clock(0);
    mic.focus();
    try {
      if (keep) await sendVoice(await recording.finish());
      else await recording.cancel();
    } catch (error) {
      complain(error.message);
    }
  }

  mic.addEventListener("pointerdown", (event) => {
    pressed = performance.now();
    mic.setPointerCapture(event.pointerId);
    if (!take) start();
  });
  mic.addEventListener("pointerup", () => {
    if (performance.now() - pressed > HOLD_MS) end(true);
  });
  mic.addEventListener("click", (event) => {
    if (event.detail === 0) take ? end(true) : start();
  });
  $("record-send").addEventListener("click", () => end(true));
  $("record-cancel").addEventListener("click", () => end(false));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && take) end(false);
  });
}

function setUpActions() {
  const react = (emoji) => send({ type: "reaction", node: { message_id: state.acting.wamid, emoji } });
  $("actions").addEventListener("click", (event) => {
    const emoji = event.target.closest("[data-emoji]")?.dataset.emoji;
    if (emoji) react(state.messages.get(state.acting.wamid).reactions.from_person === emoji ? "" : emoji);
    if (event.target.closest("button")) $("actions").hidePopover();
  });
  $("action-reply").addEventListener("click", () => quote(state.acting));
  $("action-details").addEventListener("click", () => {
    const message = structuredClone(state.messages.get(state.acting.wamid));
    if (message.media?.audio) delete message.media.audio.peaks;
    for (const [name, atS] of Object.entries(message.receipts)) message.receipts[name] = new Date(atS * 1000).toISOString();
    $("details-json").textContent = JSON.stringify(message, null, 2);
    $("details").showModal();
  });
}

function setUpPeople() {
  $("number").addEventListener("change", async () => {
    await refreshPeople();
    const person = state.person;
    state.person = null;
    await open(person);
  });
  $("back").addEventListener("click", () => {
    document.body.dataset.view = "people";
    $("people").querySelector("[aria-current]")?.focus();
  });
  $("add-person").addEventListener("click", () => $("person-dialog").showModal());
  $("person-cancel").addEventListener("click", () => $("person-dialog").close());
  $("person-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const json = { name: $("person-name").value, phone: $("person-phone").value || null };
    if ($("person-username").value) json.username = $("person-username").value;
    try {
      const person = await call("/people", { method: "POST", json });
      event.target.reset();
      $("person-error").textContent = "";
      $("person-dialog").close();
      await open(person.id);
    } catch (error) {
      $("person-error").textContent = error.message;
    }
  });
}

// --- staying fresh -----------------------------------------------------------------------------------------------

function follow() {
  const events = new EventSource("/emulator/api/events");
  const people = oneAtATime(refreshPeople);
  const developer = oneAtATime(drawer.refresh);
  let lost = false;
  events.addEventListener("open", () => {
    if (lost) complain("");
    lost = false;
    pull();
    people();
    developer();
  });
  events.addEventListener("error", () => {
    lost = true;
    complain(words.offline);
  });
  events.addEventListener("message", (event) => {
    const change = JSON.parse(event.data);
    if (change.topic === "webhooks" || change.topic === "faults") developer();
    else people();
    if (change.person_id === state.person && change.topic === "conversation") pull();
  });
  document.addEventListener("visibilitychange", markRead);
}

// Calls that come while one is running become a single call after it.
function oneAtATime(work) {
  let running = null;
  let again = false;
  return async function next() {
    if (running) {
      again = true;
      return running;
    }
    running = (async () => {
      do {
        again = false;
        await work();
      } while (again);
    })();
    try {
      await running;
    } finally {
      running = null;
    }
  };
}

setUpComposer();
setUpRecorder();
setUpActions();
setUpPeople();
keepEndInSight();
drawer.setUp(chat);
await refreshPeople();
const remembered = sessionStorage.getItem("person");
await open(state.people.some((person) => person.id === remembered) ? remembered : state.people[0].id);
follow();
