// Draws one message: built once, then only its receipts, reactions and failure change. Text is only ever text.

import { $, clock, element, icon, words } from "./api.js";
import { formatted } from "./markup.js";
import "./voice-note.js";

const language = document.documentElement.lang;
const hour = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(language, { day: "numeric", month: "long", year: "numeric" });

export const timeOf = (atS) => hour.format(new Date(atS * 1000));

export function dayOf(atS) {
  const date = new Date(atS * 1000);
  const today = new Date();
  const yesterday = new Date(today);
  yesterday.setDate(today.getDate() - 1);
  if (date.toDateString() === today.toDateString()) return words.today;
  if (date.toDateString() === yesterday.toDateString()) return words.yesterday;
  return day.format(date);
}

// One line that stands for a message: in the people list and in quotes.
export function summary(message) {
  const node = message.node ?? {};
  const seconds = message.media?.audio?.duration_s;
  if (message.type === "text") return node.body ?? "";
  if (message.type === "audio") return `${words.voice_note}${seconds ? ` (${clock(Math.round(seconds))})` : ""}`;
  if (message.type === "interactive") return (node.button_reply ?? node.list_reply)?.title ?? node.body?.text ?? "";
  if (message.type === "button") return node.text ?? "";
  return node.caption ?? `${words.other_type} ${message.type}`;
}

// The same, with its marks shown as a phone shows them.
export function summed(message) {
  const node = element("span");
  node.append(formatted(summary(message)));
  return node;
}

export function build(message, handlers) {
  const bubble = $("bubble").content.firstElementChild.cloneNode(true);
  const mine = message.direction === "from_person";
  bubble.dataset.wamid = message.wamid;
  bubble.classList.add(mine ? "mine" : "theirs");
  bubble.querySelector("time").textContent = timeOf(message.at_s);
  bubble.querySelector("time").dateTime = new Date(message.at_s * 1000).toISOString();
  bubble.querySelector(".content").append(...content(message, handlers));
  bubble.querySelector(".more").addEventListener("click", (event) => handlers.more(message, event.currentTarget));
  const quoted = message.context_id && handlers.find(message.context_id);
  if (quoted) {
    const quote = bubble.querySelector(".quote");
    quote.append(element("b", "", handlers.nameOf(quoted)), summed(quoted));
    quote.hidden = false;
  }
  update(bubble, message);
  return bubble;
}

export function update(bubble, message) {
  const ticks = bubble.querySelector(".ticks");
  if (message.direction === "from_person") {
    const state = ["read", "delivered", "sent"].find((name) => name in message.receipts) ?? "sent";
    ticks.className = `ticks ${state}`;
    ticks.replaceChildren(icon(state === "sent" ? "tick" : "ticks"), element("span", "visually-hidden", words[state]));
  }
  const note = bubble.querySelector("voice-note");
  if (note) note.played = "played" in message.receipts;
  const failure = bubble.querySelector(".failure");
  failure.hidden = !message.failure || !("failed" in message.receipts);
  if (message.failure) {
    failure.textContent = `${words.not_delivered}: ${message.failure.code}, ${message.failure.details}`;
  }
  const marks = Object.values(message.reactions);
  const reactions = bubble.querySelector(".reactions");
  reactions.hidden = !marks.length;
  reactions.textContent = marks.join(" ");
}

function content(message, handlers) {
  const node = message.node ?? {};
  switch (message.type) {
    case "text":
      return [paragraph("text", node.body)];
    case "audio":
      return [audio(message, handlers), ...(message.direction === "from_business" ? transcript(message, handlers) : [])];
    case "interactive":
      return interactive(message, node, handlers);
    case "button":
      return [element("p", "text", node.text)];
    case "image":
      return image(message, node);
    default:
      return [element("p", "text other", summary(message))];
  }
}

function paragraph(className, text) {
  const node = element("p", className);
  node.append(formatted(text ?? ""));
  return node;
}

// The words of a note, unfolded on demand; nothing where the emulator was given nobody to ask.
function transcript(message, handlers) {
  if (!handlers.caption) return [];
  return [unfolding(words.transcript, () => handlers.caption(message).then((found) => [found?.text, found?.language]))];
}

// What the business understood of a person's note: shown under it once an answer to it tells.
export function showHeard(bubble, text) {
  if (bubble.querySelector(".unfolding")) return;
  bubble.querySelector(".content").append(unfolding(words.heard_as, async () => [text]));
}

function unfolding(label, ask) {
  const box = element("details", "unfolding");
  const shown = element("p", "text small");
  box.append(element("summary", "", label), shown);
  box.addEventListener("toggle", async () => {
    if (!box.open) return;
    const [text, spoken] = (await ask().catch(() => null)) ?? [];
    shown.lang = text ? (spoken ?? "") : language;
    shown.replaceChildren(formatted(text || words.no_transcript));
    box.scrollIntoView({ block: "nearest" });
  });
  return box;
}

function audio(message, handlers) {
  const file = message.media;
  const src = file && `/emulator/api/media/${file.id}`;
  if (message.shown_as === "voice_note" && file?.audio?.peaks.length) {
    const note = document.createElement("voice-note");
    note.load({
      src,
      duration: file.audio.duration_s,
      peaks: file.audio.peaks,
      mine: message.direction === "from_person",
    });
    if (message.direction === "from_business") note.addEventListener("first-play", () => handlers.played(message));
    return note;
  }
  const link = element("a", "file");
  if (src) link.href = src;
  link.download = file?.filename ?? "";
  const size = file ? ` · ${Math.ceil(file.bytes / 1024)} KB` : "";
  const label = message.shown_as === "download" ? words.download : words.audio_file;
  link.append(icon("file"), element("span", "", `${label}${size}`));
  return link;
}

function image(message, node) {
  const parts = [];
  if (message.media) {
    const picture = element("img", "picture");
    picture.src = `/emulator/api/media/${message.media.id}`;
    picture.alt = node.caption ?? "";
    parts.push(picture);
  }
  if (node.caption) parts.push(paragraph("text", node.caption));
  return parts.length ? parts : [element("p", "text other", summary(message))];
}

function interactive(message, node, handlers) {
  const chosen = node.button_reply ?? node.list_reply;
  if (chosen) {
    const parts = [element("p", "text", chosen.title)];
    if (chosen.description) parts.push(element("p", "small", chosen.description));
    return parts;
  }
  const parts = [];
  if (node.header) parts.push(paragraph("text strong", node.header.text));
  parts.push(paragraph("text", node.body?.text ?? ""));
  if (node.footer) parts.push(paragraph("small", node.footer.text));
  const choices = element("div", "choices");
  if (node.type === "list") {
    const open = element("button", "choice");
    open.type = "button";
    open.append(icon("list"), element("span", "", node.action.button));
    open.addEventListener("click", () => handlers.openList(message));
    choices.append(open);
  }
  for (const button of node.action?.buttons ?? []) {
    const choice = element("button", "choice");
    choice.type = "button";
    choice.append(icon("reply"), element("span", "", button.reply.title));
    choice.addEventListener("click", () => handlers.choose(message, "button_reply", button.reply));
    choices.append(choice);
  }
  return [...parts, choices];
}
