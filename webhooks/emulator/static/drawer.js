// The developer drawer: webhook counters, faults, last bodies. Knows no conversation but the one it is told.

import { $, call, element, words } from "./api.js";

const opened = new Set();

export function setUp(currentChat) {
  const close = () => {
    show(false);
    $("toggle-drawer").focus();
  };
  $("toggle-drawer").addEventListener("click", () => show($("drawer").hidden));
  $("close-drawer").addEventListener("click", close);
  $("drawer").addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
  });
  $("verify").addEventListener("click", () => call("/webhooks/handshake", { method: "POST" }).then(refresh));
  $("disarm").addEventListener("click", () => call("/faults", { method: "DELETE" }).then(drawFaults));
  $("close-window").addEventListener("click", () => call(`${currentChat()}/close-window`, { method: "POST" }));
  $("fault").addEventListener("change", showFields);
  $("fault-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const json = {
      fault: $("fault").value,
      count: Number($("fault-count").value),
      delay_ms: Number($("fault-delay").value),
      retry_after_s: Number($("fault-retry").value),
    };
    call("/faults", { method: "POST", json }).then(drawFaults);
  });
}

export async function refresh() {
  if ($("drawer").hidden) return;
  const [webhooks, faults] = await Promise.all([call("/webhooks"), call("/faults")]);
  drawWebhooks(webhooks);
  drawFaults(faults);
}

function show(visible) {
  $("drawer").hidden = !visible;
  $("toggle-drawer").setAttribute("aria-expanded", String(visible));
  refresh();
  if (visible) $("close-drawer").focus();
}

function showFields() {
  for (const field of document.querySelectorAll("[data-for]")) field.hidden = field.dataset.for !== $("fault").value;
}

function drawFaults({ available, armed }) {
  const select = $("fault");
  if (!select.options.length) {
    select.append(...available.map(({ fault }) => new Option(words[`fault_${fault}`], fault)));
    showFields();
  }
  const chips = armed.map((setting) => {
    const chip = element("li", "chip");
    chip.append(element("b", "", `${setting.count}×`), element("span", "", words[`fault_${setting.fault}`]));
    return chip;
  });
  $("armed").replaceChildren(...(chips.length ? chips : [element("li", "none", words.armed_none)]));
}

function drawWebhooks({ webhook_url: url, handshake, counters, deliveries }) {
  const state = { true: "verified", false: "unverified", null: "not_tried" }[String(handshake.ok)];
  $("handshake-dot").className = `dot ${state}`;
  $("handshake").textContent = words[state] + (handshake.detail ? `: ${handshake.detail}` : "");
  $("webhook-url").textContent = url;
  for (const cell of document.querySelectorAll("[data-counter]")) cell.textContent = counters[cell.dataset.counter];
  $("deliveries").replaceChildren(...deliveries.map(drawDelivery));
}

function drawDelivery(delivery) {
  const box = element("details", delivery.state.replace(" ", "-"));
  box.open = opened.has(delivery.number);
  box.addEventListener("toggle", () => opened[box.open ? "add" : "delete"](delivery.number));
  const line = element("summary");
  const outcome = delivery.http_status ?? delivery.error ?? "…";
  const tries = delivery.attempts > 1 ? ` · ${delivery.attempts} ${words.attempts}` : "";
  line.append(
    element("span", "kind", delivery.kinds.join(", ")),
    element("span", "outcome", `${outcome} · ${Math.round(delivery.elapsed_ms)} ms${tries}`),
  );
  const body = element("pre", "", pretty(delivery.body));
  body.tabIndex = 0;
  box.append(line, body);
  return box;
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
